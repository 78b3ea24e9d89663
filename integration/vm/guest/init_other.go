//go:build !linux

package guest

// called is whether [Main] was.
var called bool

// Main does nothing: a guest is Linux.
func Main() { called = true }

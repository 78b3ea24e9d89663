//go:build !linux

package filetree

func newTempFile() (*tempFile, error) { return newNamedTempFile() }

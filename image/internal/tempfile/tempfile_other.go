//go:build !linux

package tempfile

func create(dir, prefix string) (*File, error) { return createNamed(dir, prefix) }

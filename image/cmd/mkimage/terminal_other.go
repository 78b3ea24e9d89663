//go:build !linux

package main

import "os"

// isTTY reports whether a file is a character device that is not the null device:
// near enough to a terminal for the look of a message.
func isTTY(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

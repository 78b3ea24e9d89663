//go:build !linux

package pending

import (
	"errors"
	"os"
)

func createUnnamed(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func linkUnnamed(*os.File, string) (string, error) { return "", errors.ErrUnsupported }

func alike(_, _ *os.File) bool { return false }

func duplicate(*os.File, string) (*os.File, error) { return nil, errors.ErrUnsupported }

// umask is not to be had without changing it: a file that only its owner can
// use is the safe side.
func umask() os.FileMode { return 0o077 }

// syncDir does nothing where a directory cannot be synced by opening it.
func syncDir(string) error { return nil }

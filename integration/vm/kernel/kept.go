package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// kept returns where a module of the kernel is kept once it was decompressed, which
// of Debian's takes longer than all else that goes into a guest: beside lib/modules
// of a kernel in [Dir], which is ours to write to and changes no more. Of other
// kernels it returns "".
func (k *Kernel) kept(name string) string {
	dir, err := Dir()
	if err != nil || !strings.HasPrefix(k.ModuleDir, dir+string(filepath.Separator)) {
		return ""
	}
	return filepath.Join(k.ModuleDir, "../../plain-modules", k.Release, name+".ko")
}

// writeWhole writes a file that others may be about to read, or to write too: they
// see all of it or nothing.
func writeWhole(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

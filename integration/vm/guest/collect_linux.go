package guest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/drivebay/drivebay/integration/vm/internal/wire"
)

// snapshot returns the files below what is to be collected, as they are before the
// program runs.
func (p *initProcess) snapshot() (map[string]bool, error) {
	before := map[string]bool{}
	err := p.walk(func(path string, _ fs.FileInfo) error {
		before[path] = true
		return nil
	})
	return before, err
}

// collect sends the files that are to be collected and were not there before.
func (p *initProcess) collect(before map[string]bool) error {
	return p.walk(func(path string, info fs.FileInfo) error {
		if before[path] {
			return nil
		}
		return p.send(path, info)
	})
}

// walk calls do for the regular files among and below the collected paths.
func (p *initProcess) walk(do func(path string, info fs.FileInfo) error) error {
	for _, root := range p.job.Collect {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil || !info.Mode().IsRegular() {
				return err
			}
			return do(path, info)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *initProcess) send(path string, info fs.FileInfo) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	file := wire.FileData{Path: path, Mode: uint32(info.Mode().Perm()), Size: info.Size()}
	if err := p.out.WriteJSON(wire.File, file); err != nil {
		return err
	}
	_, err = io.Copy(p.out.Stream(wire.Data), io.LimitReader(f, info.Size()))
	return err
}

package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// pack is the floor: it walks the directories and writes all contents into one
// file, without their holes.
func pack(out string, dirs []string) error {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	p := packer{out: f, buf: make([]byte, 1<<20)}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			return p.file(name)
		})
		if err != nil {
			return err
		}
	}
	return f.Close()
}

type packer struct {
	out *os.File
	off int64
	buf []byte
}

func (p *packer) file(name string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if !isSparse(info) {
		return p.copy(in)
	}
	for pos := int64(0); ; {
		start, end, err := nextData(in, pos, info.Size())
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := p.copy(io.NewSectionReader(in, start, end-start)); err != nil {
			return err
		}
		pos = end
	}
}

func (p *packer) copy(in io.Reader) error {
	for {
		n, err := in.Read(p.buf)
		if n > 0 {
			if _, err := p.out.WriteAt(p.buf[:n], p.off); err != nil {
				return err
			}
			p.off += int64(n)
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

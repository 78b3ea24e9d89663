package rofs

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// Run is a part of a file that is in one piece on the volume. All is in bytes.
type Run struct {
	// Offset is where in the file it is, At where on the volume.
	Offset, At, Length int64
}

// AppendRun appends a run, or makes the last one longer where it goes on there.
func AppendRun(runs []Run, r Run) []Run {
	if n := len(runs); n > 0 {
		if last := &runs[n-1]; last.Offset+last.Length == r.Offset && last.At+last.Length == r.At {
			last.Length += r.Length
			return runs
		}
	}
	return append(runs, r)
}

// RunReader reads a file of which the place of every byte is known.
type RunReader struct {
	// Volume reads the volume.
	Volume io.ReaderAt
	// Runs are in the order of their offsets and do not overlap. What is between
	// them reads as zeros.
	Runs []Run
	// Size is the size of the file in bytes.
	Size int64
}

// ReadAt makes RunReader an [io.ReaderAt]. A volume that ends too early is an
// io.ErrUnexpectedEOF.
func (r *RunReader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read at offset %d: want one from 0 on", off)
	}
	if off >= r.Size {
		return 0, io.EOF
	}
	if left := r.Size - off; int64(len(p)) > left {
		p, err = p[:left], io.EOF
	}
	for n < len(p) {
		at, length := r.find(off + int64(n))
		part := p[n:]
		part = part[:min(length, int64(len(part)))]
		if at < 0 {
			clear(part)
		} else if k, err := r.Volume.ReadAt(part, at); k < len(part) {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return n + k, fmt.Errorf("read %d bytes at %d of the volume: %w", len(part), at, err)
		}
		n += len(part)
	}
	return n, err
}

// find returns where on the volume the file goes on at an offset, and for how many
// bytes. A hole is at -1.
func (r *RunReader) find(off int64) (at, length int64) {
	i, _ := slices.BinarySearchFunc(r.Runs, off, func(run Run, off int64) int {
		return cmp.Compare(run.Offset+run.Length-1, off)
	})
	if i == len(r.Runs) {
		return -1, r.Size - off
	}
	run := r.Runs[i]
	if off < run.Offset {
		return -1, run.Offset - off
	}
	return run.At + off - run.Offset, run.Length - (off - run.Offset)
}

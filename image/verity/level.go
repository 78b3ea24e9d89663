package verity

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/drivebay/drivebay/image/internal/tempfile"
)

const (
	// levelMemory is how much of a level is kept in memory before it goes to a
	// temporary file, in bytes: the tree's lowest level for half a gigabyte.
	levelMemory = 4 << 20
	// minRepeat is how many hash blocks of zeros' digests are counted instead of
	// kept: fewer take less memory than it takes to count them apart.
	minRepeat = 16
)

// level is a level of a hash tree: the hash blocks that hold the digests of the
// blocks of the level below.
type level struct {
	dir    string
	block  []byte // the hash block that is being filled
	filled int    // bytes of it
	// zeroBlock is a hash block of nothing but zeros' digests.
	zeroBlock []byte

	runs []run
	file *tempfile.File // nil until memory is full
	size int64          // of the file
	mem  []byte         // what comes behind it
}

// run is a number of bytes that are kept, and the hash blocks of zeros' digests
// that follow them.
type run struct{ kept, zeroBlocks int64 }

func newLevel(blockSize int, zero []byte, dir string) *level {
	return &level{dir: dir, block: make([]byte, blockSize), zeroBlock: bytes.Repeat(zero, blockSize/len(zero))}
}

// repeat adds hash blocks of zeros' digests.
func (l *level) repeat(n int64) error {
	if n >= minRepeat {
		l.last().zeroBlocks += n
		return nil
	}
	for range n {
		if err := l.keep(l.zeroBlock); err != nil {
			return err
		}
	}
	return nil
}

// keep adds a hash block.
func (l *level) keep(block []byte) error {
	if len(l.mem)+len(block) > levelMemory {
		if err := l.spill(); err != nil {
			return fmt.Errorf("verity: temporary file: %w", err)
		}
	}
	l.mem = append(l.mem, block...)
	r := l.last()
	if r.zeroBlocks > 0 {
		l.runs = append(l.runs, run{})
		r = l.last()
	}
	r.kept += int64(len(block))
	return nil
}

func (l *level) last() *run {
	if len(l.runs) == 0 {
		l.runs = append(l.runs, run{})
	}
	return &l.runs[len(l.runs)-1]
}

// spill moves what is in memory to the temporary file.
func (l *level) spill() (err error) {
	if l.file == nil {
		if l.file, err = tempfile.Create(l.dir, "verity"); err != nil {
			return err
		}
	}
	n, err := l.file.WriteAt(l.mem, l.size)
	l.size += int64(n)
	l.mem = l.mem[:0]
	return err
}

// reader returns what reads all that is kept.
func (l *level) reader() io.Reader {
	if l.file == nil {
		return bytes.NewReader(l.mem)
	}
	return io.MultiReader(io.NewSectionReader(l.file, 0, l.size), bytes.NewReader(l.mem))
}

func closeLevels(levels []*level) error {
	var errs []error
	for _, l := range levels {
		if l.file != nil {
			errs = append(errs, l.file.Close())
		}
	}
	return errors.Join(errs...)
}

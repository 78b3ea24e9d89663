package imagetest

import (
	"bytes"
	"io"
	"io/fs"
	"runtime"
	"testing"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// Reader is the files of a volume.
type Reader interface {
	filetree.TreeFS
	Info() (volume.Info, error)
}

// Opener opens a volume to be read.
type Opener func(r io.ReaderAt, size int64) (Reader, error)

// FuzzReader changes bytes of good volumes, and reads all that can be read of them:
// nothing may panic, or allocate more than most bytes. The input is the number of a
// volume, and changes of four bytes: a place in three, and a value.
func FuzzReader(f *testing.F, images [][]byte, most uint64, open Opener) {
	f.Fuzz(func(t *testing.T, which uint8, changes []byte) {
		b := newDamaged(images[int(which)%len(images)], changes)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if files, err := open(b, b.Size()); err == nil {
			readAll(files)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > most {
			t.Errorf("%d bytes have been allocated for a volume of %d", n, b.Size())
		}
	})
}

// damaged is an image with other bytes in some places.
type damaged struct {
	*bytes.Reader
	bytes map[int64]byte
}

func newDamaged(good, changes []byte) damaged {
	d := damaged{bytes.NewReader(good), map[int64]byte{}}
	for ; len(changes) >= 4; changes = changes[4:] {
		at := int64(changes[0])<<16 | int64(changes[1])<<8 | int64(changes[2])
		d.bytes[at%int64(len(good))] = changes[3]
	}
	return d
}

func (d damaged) ReadAt(b []byte, off int64) (int, error) {
	n, err := d.Reader.ReadAt(b, off)
	for at, v := range d.bytes {
		if at >= off && at < off+int64(n) {
			b[at-off] = v
		}
	}
	return n, err
}

// maxRead is how much of each file is read, in bytes: holes can be of any size.
const maxRead = 1 << 20

// readAll reads what can be read of a volume, by its tree and by its names.
func readAll(files Reader) {
	_, _ = files.Info()
	if tree, err := files.Tree(); err == nil {
		_ = tree.Walk(func(n filetree.Node) error {
			if n.Mode().IsRegular() {
				if c, err := n.Open(); err == nil {
					_, _ = io.CopyN(io.Discard, c, maxRead)
				}
			}
			return nil
		})
		_ = tree.Close()
	}
	_ = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		_, _ = fs.ReadLink(files, path)
		if f, err := files.Open(path); err == nil {
			_, _ = io.CopyN(io.Discard, f, maxRead)
		}
		return nil
	})
}

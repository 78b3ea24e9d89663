package fat_test

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
)

// maxAlloc is what reading a damaged image may allocate.
const maxAlloc = 64 << 20

// FuzzReader changes bytes of good volumes of each type: each four of the input are
// a place and a value.
func FuzzReader(f *testing.F) {
	var images [][]byte
	for _, tc := range geometries {
		image, _ := build(f, &fat.FileSystem{Tree: tree(f, sample), Label: "FUZZ", Type: tc.typ}, geometry(tc.size))
		b, err := os.ReadFile(image)
		require.NoError(f, err)
		images = append(images, b)
	}
	for which := range images {
		f.Add(uint8(which), []byte{})
		for at := range 64 { // the boot sector's fields
			f.Add(uint8(which), []byte{0, 0, byte(at), 0xff, 0, 2, byte(4 * at), 3})
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, changes []byte) {
		good := images[int(which)%len(images)]
		b := patched{bytes.NewReader(good), map[int64]byte{}}
		for ; len(changes) >= 4; changes = changes[4:] {
			at := int64(changes[0])<<16 | int64(changes[1])<<8 | int64(changes[2])
			b.bytes[at%int64(len(good))] = changes[3]
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		readEverything(b, int64(len(good)))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > maxAlloc {
			t.Errorf("%d bytes have been allocated", n)
		}
	})
}

// patched is an image with other bytes in some places.
type patched struct {
	good  io.ReaderAt
	bytes map[int64]byte
}

func (p patched) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.good.ReadAt(b, off)
	for at, v := range p.bytes {
		if at >= off && at < off+int64(n) {
			b[at-off] = v
		}
	}
	return n, err
}

// readEverything reads what can be read of a volume.
func readEverything(b io.ReaderAt, size int64) {
	r, err := fat.Open(b, size)
	if err != nil {
		return
	}
	_, _ = r.Info()
	if tree, err := r.Tree(); err == nil {
		_ = tree.Walk(func(n filetree.Node) error {
			if n.Mode().IsRegular() {
				if c, err := n.Open(); err == nil {
					_, _ = io.CopyN(io.Discard, c, 1<<20)
				}
			}
			return nil
		})
		_ = tree.Close()
	}
	_ = fs.WalkDir(r, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.Contains(path, "BOOTX64") {
			if f, err := r.Open(path); err == nil {
				_, _ = io.CopyN(io.Discard, f, 1<<16)
			}
		}
		return nil
	})
}

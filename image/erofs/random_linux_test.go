package erofs_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
)

// TestKernelSeesRandomTrees has the kernel, and fsck.erofs where it knows the block
// size, judge trees of all kinds.
func TestKernelSeesRandomTrees(t *testing.T) {
	for seed := range uint64(12) {
		blockSize := 512 << (seed % 4)
		t.Run(fmt.Sprintf("%d with blocks of %d", seed, blockSize), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			tr := randomTree(t, r)
			fs := &erofs.FileSystem{Tree: tr, BlockSize: blockSize, Deduplicate: seed%3 == 0}
			requireSame(t, tr, mount(t, fs))
			if blockSize == 4096 {
				tool(t, "fsck.erofs", write(t, fs, 0))
			}
		})
	}
}

func randomTree(t *testing.T, r *rand.Rand) *filetree.Tree {
	tr := filetree.New()
	dirs, files := []string{""}, []string{}
	for i := range 1 + r.IntN(1500) {
		dir := dirs[r.IntN(len(dirs))]
		if r.IntN(2) == 0 {
			dir = dirs[0] // one that is large
		}
		name := dir + fmt.Sprint(i) + strings.Repeat("n", r.IntN(1+r.IntN(150)))
		if r.IntN(4) == 0 {
			name = dir + string(rune('!'+r.IntN(14))) + fmt.Sprint(i) // before "." and "..", or between them
		}
		e := filetree.Entry{Mode: 0o644}
		switch kind := r.IntN(20); {
		case kind == 0 && len(files) > 0:
			_, err := tr.Link(name, files[r.IntN(len(files))])
			require.NoError(t, err)
			continue
		case kind <= 2:
			e.Mode = filetree.Dir(0o755).Mode
			if len(name) < 2000 {
				dirs = append(dirs, name+"/")
			}
		case kind <= 4:
			e = filetree.Symlink(strings.Repeat("t", 1+r.IntN(r.IntN(4095)+1)))
		default:
			e = randomFile(r)
			files = append(files, name)
		}
		e.ModTime = time.Unix(r.Int64N(1<<33)-1<<32, r.Int64N(1e9))
		if r.IntN(2) == 0 {
			e.ModTime = created
		}
		e.UID, e.GID = uint32(r.IntN(3)), uint32(r.IntN(300)*r.IntN(300))
		if r.IntN(5) == 0 && e.Target == "" {
			e.Xattrs = []filetree.Xattr{{Name: "user.x", Value: sample.Noise(uint64(r.IntN(20)), r.IntN(1+r.IntN(3000)))}}
		}
		_, err := tr.Add(name, e)
		require.NoError(t, err)
	}
	return tr
}

// randomFile returns a file of any length, with holes or without.
func randomFile(r *rand.Rand) filetree.Entry {
	size := r.Int64N(1 + r.Int64N(1+r.Int64N(200000)))
	if r.IntN(2) == 0 {
		size &^= 1<<14 - 1 // so that some have the same content
	}
	if r.IntN(8) > 0 {
		return filetree.File(sample.Noise(uint64(r.IntN(50)), int(size)), 0o644)
	}
	var data []filetree.Range
	pos := r.Int64N(100000)
	for range 1 + r.IntN(10) {
		data = append(data, filetree.Range{Offset: pos, Length: 1 + r.Int64N(20000)})
		pos = data[len(data)-1].End() + r.Int64N(1+r.Int64N(300000))
	}
	return sample.Sparse(pos+r.Int64N(10000), data...)
}

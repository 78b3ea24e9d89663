package ext4_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/volume"
)

// FuzzRandomTree has e2fsck judge trees, sizes and parameters of all kinds.
func FuzzRandomTree(f *testing.F) {
	for seed := range uint64(30) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		fs := &ext4.FileSystem{
			Tree:            randomTree(t, r),
			BlockSize:       pick(r, 0, 1024, 2048, 4096),
			JournalSize:     pick(r, 0, 0, int64(ext4.None), 8<<20),
			ReservedPercent: pick(r, 0, ext4.None, 50),
			Inodes:          pick(r, int64(0), 0, 5000, 100000),
		}
		g := geometry(0)
		p, err := fs.Plan(t.Context(), g)
		if tooSmall := (*volume.SizeError)(nil); errors.As(err, &tooSmall) {
			require.Equal(t, "inodes", tooSmall.Resource)
			fs.Inodes = 0
			p, err = fs.Plan(t.Context(), g)
		}
		require.NoError(t, err)
		if more := pick(r, int64(0), 1, 1<<20, 100<<20, 10<<30); more > 0 {
			g.Size = (p.Info().Size + r.Int64N(more)) &^ 511
			p, err = fs.Plan(t.Context(), g)
			if tooSmall := (*volume.SizeError)(nil); errors.As(err, &tooSmall) {
				// A journal or more inodes come with the size.
				require.Greater(t, tooSmall.Need, tooSmall.Size)
				t.Skip(err)
			}
			require.NoError(t, err)
		}
		image := filepath.Join(t.TempDir(), "image")
		writePlan(t, p, image)
		fsck(t, image)
	})
}

func pick[T any](r *rand.Rand, choice ...T) T { return choice[r.IntN(len(choice))] }

func randomTree(t *testing.T, r *rand.Rand) *filetree.Tree {
	tr := filetree.New()
	dirs, files := []string{""}, []string{}
	for i := range pick(r, 0, 1, 10, 100, 1000, 2500) {
		dir := dirs[r.IntN(len(dirs))]
		if r.IntN(2) == 0 {
			dir = dirs[0] // one that is large
		}
		name := dir + fmt.Sprint(i) + strings.Repeat("n", pick(r, 0, 1, r.IntN(30), r.IntN(240)))
		e := filetree.Entry{Mode: 0o644, ModTime: time.Unix(r.Int64N(1<<33), r.Int64N(1e9))}
		switch kind := r.IntN(20); {
		case kind == 0 && len(files) > 0:
			_, err := tr.Link(name, pick(r, files...))
			require.NoError(t, err)
			continue
		case kind <= 2:
			e.Mode = filetree.Dir(0o755).Mode
			dirs = append(dirs, name+"/")
		case kind <= 4:
			e = filetree.Symlink(strings.Repeat("t", 1+r.IntN(pick(r, 80, 1022))))
		default:
			e = randomFile(r)
			files = append(files, name)
		}
		for k := range pick(r, 0, 0, 0, 1, 3) {
			e.Xattrs = append(e.Xattrs, filetree.Xattr{Name: fmt.Sprint("user.", k), Value: make([]byte, r.IntN(pick(r, 10, 50, 300)))})
		}
		_, err := tr.Add(name, e)
		require.NoError(t, err)
	}
	return tr
}

func randomFile(r *rand.Rand) filetree.Entry {
	size := r.Int64N(pick(r, int64(1), 100, 10000, 100000))
	if r.IntN(10) > 0 {
		return sample.Sparse(size, []filetree.Range{{Length: size}}[:min(size, 1)]...)
	}
	size = r.Int64N(pick(r, int64(100), 100000, 1<<30, 1<<40))
	var data []filetree.Range
	for pos := int64(0); len(data) < 2000; {
		pos += r.Int64N(pick(r, int64(100), 5000, 20000, 1<<36))
		n := 1 + r.Int64N(pick(r, int64(100), 5000, 20000))
		if pos+n > size {
			break
		}
		data = append(data, filetree.Range{Offset: pos, Length: n})
		pos += n
	}
	return sample.Sparse(size, data...)
}

package ext4_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
)

// mount has the kernel mount an image until the test ends, and returns where,
// and how to unmount it before that.
func mount(t testing.TB, image string, options string) (dir string, unmount func()) {
	t.Helper()
	fixture.RequireLoop(t)
	fixture.RequireFS(t, "ext4")
	dir = t.TempDir()
	mounted := true
	unmount = func() {
		if mounted {
			mounted = false
			tool(t, "umount", dir)
		}
	}
	t.Cleanup(unmount)
	tool(t, "mount", "-t", "ext4", "-o", "loop,noatime,"+options, image, dir)
	return dir, unmount
}

// requireSame has the kernel's view of an image compared with its tree.
func requireSame(t *testing.T, want *filetree.Tree, dir string) {
	t.Helper()
	got, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer got.Close()
	diffs, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{
		Skip: func(path string) bool { return path == "lost+found" || strings.HasSuffix(path, "/huge") },
	})
	require.NoError(t, err)
	require.Empty(t, diffs)
}

func TestKernelSeesEverything(t *testing.T) {
	for _, blockSize := range []int{1024, 2048, 4096} {
		t.Run(fmt.Sprint(blockSize), func(t *testing.T) {
			tr := everything(t)
			image := write(t, &ext4.FileSystem{Tree: tr, BlockSize: blockSize, Label: "every thing"}, 64<<20)
			fsck(t, image)
			dir, unmount := mount(t, image, "ro")
			requireSame(t, tr, dir)
			require.NoError(t, tr.Walk(func(n filetree.Node) error {
				path := filepath.Join(dir, n.Path())
				switch {
				case strings.HasPrefix(n.Path(), "times/"):
					requireTimes(t, n, path)
				case strings.HasPrefix(n.Path(), "holes/"):
					requireHoles(t, n, path, int64(blockSize))
				}
				return nil
			}))
			unmount()
		})
	}
}

// requireTimes fails the test where the kernel sees other times.
func requireTimes(t *testing.T, n filetree.Node, path string) {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Lstat(path, &st))
	require.Equal(t, []time.Time{n.ModTime(), n.AccessTime(), n.ChangeTime()},
		[]time.Time{time.Unix(st.Mtim.Unix()).UTC(), time.Unix(st.Atim.Unix()).UTC(), time.Unix(st.Ctim.Unix()).UTC()}, path)
}

// requireHoles fails the test where the kernel sees data in other blocks of a
// file than those that the tree has data in.
func requireHoles(t *testing.T, n filetree.Node, path string, blockSize int64) {
	t.Helper()
	var want, got []int64
	for r := range n.Data() {
		for b := r.Offset / blockSize; b*blockSize < r.End(); b++ {
			want = append(want, b)
		}
	}
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	for pos := int64(0); ; {
		start, err := f.Seek(pos, unix.SEEK_DATA)
		if err != nil {
			require.ErrorIs(t, err, unix.ENXIO)
			break
		}
		pos, err = f.Seek(start, unix.SEEK_HOLE)
		require.NoError(t, err)
		for b := start / blockSize; b*blockSize < pos; b++ {
			got = append(got, b)
		}
	}
	require.Equal(t, slices.Compact(want), got, path)
}

// TestKernelWritesAtOnce changes a mounted image in all ways that meet what was
// written into it: directories with an index, shared attributes, a full group.
func TestKernelWritesAtOnce(t *testing.T) {
	for _, blockSize := range []int{1024, 4096} {
		t.Run(fmt.Sprint(blockSize), func(t *testing.T) {
			tr := everything(t)
			for i := range 5000 {
				_, err := tr.Add(fmt.Sprintf("many/ä name of some length %d", i), filetree.File([]byte("x"), 0o644))
				require.NoError(t, err)
			}
			image := write(t, &ext4.FileSystem{Tree: tr, BlockSize: blockSize}, 160<<20)
			fsck(t, image)
			dir, unmount := mount(t, image, "rw")
			change(t, dir)
			unmount()
			fsck(t, image)
			require.NotContains(t, tool(t, "dumpe2fs", "-h", image), "Error count")

			dir, unmount = mount(t, image, "ro")
			b, err := os.ReadFile(filepath.Join(dir, "big"))
			require.NoError(t, err)
			require.True(t, bytes.Equal(sample.Pattern(40<<20), b))
			list, err := os.ReadDir(filepath.Join(dir, "many"))
			require.NoError(t, err)
			require.Len(t, list, 5000-500+2000)
			unmount()
		})
	}
}

func change(t *testing.T, dir string) {
	t.Helper()
	name := func(s string, i int) string { return filepath.Join(dir, "many", fmt.Sprintf("%s %d", s, i)) }
	for i := range 2000 {
		require.NoError(t, os.WriteFile(name("new and rather a long name", i), []byte("new"), 0o600))
	}
	for i := range 500 {
		require.NoError(t, os.Remove(name("ä name of some length", i)))
		require.NoError(t, os.Rename(name("ä name of some length", 1000+i), name("renamed", i)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "big"), sample.Pattern(40<<20), 0o644))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "holes")))
	require.NoError(t, os.Remove(filepath.Join(dir, "xattrs/shared1")))
	require.NoError(t, unix.Setxattr(filepath.Join(dir, "xattrs/shared2"), "user.more", sample.Pattern(100), 0))
	require.NoError(t, unix.Setxattr(filepath.Join(dir, "xattrs/in-inode"), "user.more", sample.Pattern(100), 0))
	require.NoError(t, os.Truncate(filepath.Join(dir, "sizes/1048576"), 5000))
	f, err := os.OpenFile(filepath.Join(dir, "sizes/4096"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Write(sample.Pattern(3 << 20))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "new/deep/dir"), 0o755))
}

func TestWriteTwiceIsTheSame(t *testing.T) {
	forward, backward := filetree.New(), filetree.New()
	names := []string{}
	for i := range 3000 {
		names = append(names, fmt.Sprintf("d%d/%d", i%7, i))
	}
	add := func(tr *filetree.Tree, name string) {
		e := filetree.File([]byte(name), 0o644)
		e.ModTime = created
		_, err := tr.Add(name, e)
		require.NoError(t, err)
	}
	for i := range names {
		add(forward, names[i])
		add(backward, names[len(names)-1-i])
	}
	p, err := (&ext4.FileSystem{Tree: forward}).Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	dir := t.TempDir()
	writePlan(t, p, filepath.Join(dir, "1"))
	writePlan(t, p, filepath.Join(dir, "2"))
	fsck(t, filepath.Join(dir, "1"))
	third := write(t, &ext4.FileSystem{Tree: backward}, p.Info().Size)
	want, err := os.ReadFile(filepath.Join(dir, "1"))
	require.NoError(t, err)
	for _, name := range []string{filepath.Join(dir, "2"), third} {
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), name)
	}
}

// TestGrowOnline has the kernel grow a mounted image.
func TestGrowOnline(t *testing.T) {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	var capabilities uint64
	_, effective, _ := strings.Cut(string(status), "CapEff:")
	_, err = fmt.Sscanf(effective, "%x", &capabilities)
	require.NoError(t, err)
	if capabilities&(1<<unix.CAP_SYS_RESOURCE) == 0 {
		t.Skip("the kernel wants CAP_SYS_RESOURCE of who resizes")
	}
	for _, blockSize := range []int{1024, 4096} {
		for _, to := range []int64{64 << 20, 300 << 20, 20 << 30} {
			t.Run(fmt.Sprintf("%d/%d", blockSize, to), func(t *testing.T) {
				image := write(t, &ext4.FileSystem{BlockSize: blockSize, Tree: everything(t)}, 32<<20)
				require.NoError(t, os.Truncate(image, to))
				dir, unmount := mount(t, image, "rw")
				tool(t, "resize2fs", strings.TrimSpace(tool(t, "findmnt", "-no", "SOURCE", dir)))
				requireSame(t, everything(t), dir)
				require.NoError(t, os.WriteFile(filepath.Join(dir, "new"), sample.Pattern(10<<20), 0o644))
				unmount()
				fsck(t, image)
				require.Equal(t, to/int64(blockSize), number(t, tool(t, "dumpe2fs", "-h", image), "Block count:"))
			})
		}
	}
}

// The kernel mounts the smallest and the largest, and writes to them.
func TestKernelMountsEverySize(t *testing.T) {
	for _, blockSize := range []int{1024, 4096} {
		for _, size := range []int64{0, 256 << 10, 4 << 20, 128<<20 + 4096, 1 << 36} {
			t.Run(fmt.Sprintf("%d/%d", blockSize, size), func(t *testing.T) {
				image := write(t, &ext4.FileSystem{BlockSize: blockSize, ReservedPercent: ext4.None}, size)
				dir, unmount := mount(t, image, "rw")
				err := os.WriteFile(filepath.Join(dir, "file"), sample.Pattern(1000), 0o644)
				if size == 0 {
					require.ErrorIs(t, err, unix.ENOSPC) // no block is left
				} else {
					require.NoError(t, err)
				}
				unmount()
				fsck(t, image)
			})
		}
	}
}

// A lost+found of the tree is the one that e2fsck uses.
func TestLostFoundOfTheTree(t *testing.T) {
	for _, files := range []int{0, 3, 500} {
		tr := filetree.New()
		e := filetree.Dir(0o750)
		e.UID, e.ModTime = 7, created
		_, err := tr.Add("lost+found", e)
		require.NoError(t, err)
		for i := range files {
			_, err := tr.Add(fmt.Sprintf("lost+found/#%d", i), filetree.File(sample.Pattern(i), 0o600))
			require.NoError(t, err)
		}
		image := write(t, &ext4.FileSystem{Tree: tr}, 0)
		fsck(t, image)
		dir, unmount := mount(t, image, "ro")
		got, err := filetree.FromDir(dir)
		require.NoError(t, err)
		t.Cleanup(func() { got.Close() })
		diffs, err := filetree.Diff(t.Context(), tr, got, filetree.DiffOptions{})
		require.NoError(t, err)
		require.Empty(t, diffs)
		var st unix.Stat_t
		require.NoError(t, unix.Lstat(filepath.Join(dir, "lost+found"), &st))
		require.Equal(t, []uint64{11, 2}, []uint64{st.Ino, uint64(st.Nlink)})
		require.Equal(t, map[int]int64{0: 16 << 10, 3: 16 << 10, 500: 12 << 10}[files], st.Size)
		require.NoError(t, got.Close())
		unmount()
	}
}

// Names of one hash may lie in two leaves: the index marks the second, and the
// kernel goes on there.
func TestHashCollisions(t *testing.T) {
	var seed [4]uint32
	derived := geometry(0).Derive("hash-seed")
	for i := range seed {
		seed[i] = binary.LittleEndian.Uint32(derived[i*4:])
	}
	tr := filetree.New()
	name := []byte("0000000" + strings.Repeat("n", 230)) // three to a leaf
	first := map[uint32]string{}                         // the numbers in names
	var pairs []string
	for i := 0; len(pairs) < 60; i++ {
		number := fmt.Sprintf("%07d", i)
		copy(name, number)
		hash := ext4.NameHash(seed, name)
		if other, ok := first[hash]; ok {
			pairs = append(pairs, other+string(name[7:]), string(name))
		} else {
			first[hash] = number
		}
	}
	slices.Sort(pairs)
	for _, name := range slices.Compact(pairs) {
		_, err := tr.Add("dir/"+name, filetree.File([]byte(name), 0o644))
		require.NoError(t, err)
	}
	image := write(t, &ext4.FileSystem{Tree: tr, BlockSize: 1024}, 8<<20)
	fsck(t, image)
	marked := regexp.MustCompile(`Hash 0x[0-9a-f]*[13579bdf],`).FindAllString(debugfs(t, image, "htree_dump /dir"), -1)
	require.NotEmpty(t, marked)

	dir, unmount := mount(t, image, "rw")
	for _, name := range pairs {
		b, err := os.ReadFile(filepath.Join(dir, "dir", name))
		require.NoError(t, err)
		require.Equal(t, name, string(b))
	}
	for i, name := range slices.Compact(pairs) {
		if i%2 == 0 {
			require.NoError(t, os.Rename(filepath.Join(dir, "dir", name), filepath.Join(dir, "dir", name+"2")))
		}
	}
	unmount()
	fsck(t, image)
}

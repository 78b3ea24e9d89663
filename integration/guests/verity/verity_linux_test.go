package verity

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/squashfs"
	"github.com/drivebay/drivebay/image/verity"
	"github.com/drivebay/drivebay/image/volume"
)

func TestMain(m *testing.M) { fixture.Main(m) }

// fileSize is the size of a file in bytes: more than what is read ahead.
const fileSize = 3 << 20

// sources returns a tree of two files that cannot be compressed.
func sources(t *testing.T) *filetree.Tree {
	t.Helper()
	tree := filetree.New()
	for i, name := range []string{"good", "dir/damaged"} {
		_, err := tree.Add(name, filetree.File(content(byte(i)), 0o644))
		require.NoError(t, err)
	}
	return tree
}

// TestKernelVerifies mounts file systems through dm-verity, as they were built and
// with a byte of a file flipped.
func TestKernelVerifies(t *testing.T) {
	if os.Getenv("DRIVEBAY_DEVICE_MAPPER") == "" {
		t.Skip("needs the device mapper, and DRIVEBAY_DEVICE_MAPPER that says it is there")
	}
	files := sources(t)
	for _, tc := range []struct {
		name, format string
		content      volume.Content
		params       verity.Params
	}{
		{"ext4", "ext4", &ext4.FileSystem{Tree: files}, verity.Params{}},
		{"SHA-512", "squashfs", &squashfs.FileSystem{Tree: files}, verity.Params{Algorithm: "sha512"}},
		{"small blocks", "squashfs", &squashfs.FileSystem{Tree: files}, verity.Params{DataBlockSize: 1024, HashBlockSize: 1024, Salt: []byte{}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fixture.RequireFS(t, tc.format)
			l := image.Layout{Partitions: []image.Partition{
				{Name: "root", Type: image.Root, Size: 16 * image.MiB, Content: tc.content},
				{Name: "tree", Type: "root-verity", Content: &verity.HashTree{Of: "root", Params: tc.params}},
			}}
			t.Cleanup(func() { require.NoError(t, l.Close()) })
			name := filepath.Join(t.TempDir(), "disk.img")
			var root verity.RootHash
			plan, err := image.Build(t.Context(), name, l, image.Options{RootHash: func(h image.RootHash) { root = h.Hash }})
			require.NoError(t, err)

			dir := mountVerified(t, name, tc.format, root)
			got, err := filetree.FromDir(dir)
			require.NoError(t, err)
			diff, err := filetree.Diff(t.Context(), files, got, filetree.DiffOptions{
				Aspects: filetree.AspectName | filetree.AspectType | filetree.AspectSize | filetree.AspectContent,
				Skip:    func(path string) bool { return path == "lost+found" },
			})
			require.NoError(t, errors.Join(err, got.Close()))
			require.Empty(t, diff)
			unmount(t, dir)

			flip(t, name, plan.Partitions[0].Start, content(1)[fileSize/2:][:4096])
			dir = mountVerified(t, name, tc.format, root)
			good, err := os.ReadFile(dir + "/good")
			require.NoError(t, err)
			require.True(t, bytes.Equal(content(0), good))
			_, err = os.ReadFile(dir + "/dir/damaged")
			require.ErrorIs(t, err, unix.EIO)
			unmount(t, dir)

			root[0] ^= 1 // veritysetup takes it, and the kernel finds that no block is right
			require.ErrorIs(t, unix.Mount(open(t, name, root), t.TempDir(), tc.format, unix.MS_RDONLY, ""), unix.EIO)
		})
	}
}

// content returns the bytes of a file: noise by its number.
func content(number byte) []byte {
	b := make([]byte, fileSize)
	state := uint64(number) + 1
	for i := range b { // xorshift
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		b[i] = byte(state >> 32)
	}
	return b
}

// flip flips a bit of an image where, behind an offset, it holds what is looked for.
func flip(t *testing.T, name string, from int64, what []byte) {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	at := bytes.Index(b[from:], what)
	require.GreaterOrEqual(t, at, 0)
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte{what[100] ^ 1}, from+int64(at)+100)
	require.NoError(t, err)
}

// mapped is the name of the verified device.
const mapped = "drivebay-verity"

// open makes a device of the image's two partitions, extracted to files, which
// veritysetup attaches itself.
func open(t *testing.T, name string, root verity.RootHash) (device string) {
	t.Helper()
	d, err := image.Open(name)
	require.NoError(t, err)
	defer d.Close()
	args := []string{"open"}
	for number := range 2 {
		section, err := d.Section(number + 1)
		require.NoError(t, err)
		b := make([]byte, section.Size())
		_, err = section.ReadAt(b, 0)
		require.NoError(t, err)
		part := filepath.Join(t.TempDir(), fmt.Sprint("partition", number+1))
		require.NoError(t, os.WriteFile(part, b, 0o600))
		args = append(args, part)
		if number == 0 {
			args = append(args, mapped)
		}
	}
	out, err := veritysetup(t, append(args, root.String())...)
	require.NoError(t, err, "%s", out)
	t.Cleanup(func() { _, _ = veritysetup(t, "close", mapped) }) // it may be closed already
	return "/dev/mapper/" + mapped
}

func veritysetup(t *testing.T, args ...string) ([]byte, error) {
	cmd := exec.Command(fixture.RequireTool(t, "veritysetup"), args...)
	cmd.Env = append(os.Environ(), "DM_DISABLE_UDEV=1") // libdevmapper makes the nodes then
	return cmd.CombinedOutput()
}

// mountVerified mounts the image's file system through dm-verity.
func mountVerified(t *testing.T, name, format string, root verity.RootHash) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, unix.Mount(open(t, name, root), dir, format, unix.MS_RDONLY, ""))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }) // it may be gone already
	return dir
}

// unmount gives up what mountVerified has made.
func unmount(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, unix.Unmount(dir, 0))
	out, err := veritysetup(t, "close", mapped)
	require.NoError(t, err, "%s", out)
}

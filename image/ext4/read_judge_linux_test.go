package ext4_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/volume"
)

// made has mke2fs make a file system of a directory.
func made(t testing.TB, dir, size string, args ...string) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	args = append([]string{"-q", "-F", "-d", dir}, append(args, image, size)...)
	tool(t, "mke2fs", args...)
	return image
}

// sourceDir is a directory of all that mke2fs copies.
func sourceDir(t testing.TB) string {
	t.Helper()
	fixture.RequireRoot(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, n int) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Dir(at(name)), 0o755))
		require.NoError(t, os.WriteFile(at(name), sample.Pattern(n), 0o640))
	}
	for _, n := range []int{0, 1, 59, 60, 61, 100, 160, 1024, 5000, 300_000} {
		write(fmt.Sprintf("sizes/%d", n), n)
	}
	for i := range 400 {
		write(fmt.Sprintf("many/%d-%s", i, strings.Repeat("n", i%240)), i)
	}
	write("two/of them", 1)
	for _, n := range []int{1, 59, 60, 61, 200, 1000} {
		require.NoError(t, os.Symlink(strings.Repeat("t", n), at(fmt.Sprintf("sizes/link%d", n))))
	}
	require.NoError(t, os.Link(at("sizes/5000"), at("two/linked")))
	require.NoError(t, unix.Mknod(at("two/char"), unix.S_IFCHR|0o600, int(unix.Mkdev(4, 64))))
	require.NoError(t, unix.Mknod(at("two/block"), unix.S_IFBLK|0o660, int(unix.Mkdev(259, 70000))))
	require.NoError(t, unix.Mkfifo(at("two/fifo"), 0o600))
	require.NoError(t, os.Lchown(at("sizes/60"), 70000, 80000))
	require.NoError(t, os.Chmod(at("sizes/61"), 0o755|os.ModeSetuid))
	require.NoError(t, unix.Setxattr(at("sizes/100"), "user.one", sample.Pattern(20), 0))
	require.NoError(t, unix.Setxattr(at("sizes/100"), "trusted.two", sample.Pattern(300), 0))
	require.NoError(t, unix.Setxattr(at("sizes/1024"), "security.capability", []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0))
	return dir
}

// sparseFile makes a file with data in blocks of 4 KiB far from one another.
func sparseFile(t testing.TB, name string) {
	t.Helper()
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	for _, at := range []int64{0, 48 << 10, 5 << 20, 80 << 20, 300 << 20} { // direct, indirect, double and triple
		_, err := f.WriteAt(sample.Pattern(4096), at)
		require.NoError(t, err)
	}
}

// TestReaderReadsMke2fs has the reader read what mke2fs makes, of all shapes.
func TestReaderReadsMke2fs(t *testing.T) {
	dir := sourceDir(t)
	sparseFile(t, filepath.Join(dir, "holes"))
	want, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer want.Close()
	for name, args := range map[string][]string{
		"ext2":              {"-t", "ext2"},
		"ext2 1k":           {"-t", "ext2", "-b", "1024"},
		"ext2 revision 0":   {"-t", "ext2", "-r", "0", "-O", "none", "-I", "128"},
		"ext3":              {"-t", "ext3"},
		"ext3 2k":           {"-t", "ext3", "-b", "2048", "-I", "128"},
		"ext4":              {"-t", "ext4"},
		"ext4 1k":           {"-t", "ext4", "-b", "1024"},
		"ext4 64k":          {"-t", "ext4", "-b", "65536"},
		"inodes of 128":     {"-t", "ext4", "-I", "128"},
		"inodes of 512":     {"-t", "ext4", "-I", "512"},
		"inodes of 1024":    {"-t", "ext4", "-I", "1024"},
		"no checksums":      {"-t", "ext4", "-O", "^metadata_csum"},
		"32 bits":           {"-t", "ext4", "-O", "^64bit"},
		"no extents":        {"-t", "ext4", "-O", "^extent,^64bit"},
		"inline":            {"-t", "ext4", "-O", "inline_data"},
		"inline 1024":       {"-t", "ext4", "-O", "inline_data", "-I", "1024"},
		"inline, no sums":   {"-t", "ext4", "-O", "inline_data,^metadata_csum"},
		"meta_bg":           {"-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode"},
		"meta_bg, no flex":  {"-t", "ext4", "-b", "1024", "-g", "1024", "-O", "meta_bg,^resize_inode,^flex_bg,^sparse_super"},
		"sparse_super2":     {"-t", "ext4", "-O", "sparse_super2,^resize_inode,meta_bg"},
		"bigalloc":          {"-t", "ext4", "-O", "bigalloc", "-C", "65536"},
		"bigalloc 1k":       {"-t", "ext4", "-b", "1024", "-O", "bigalloc,meta_bg,^resize_inode"},
		"seed of checksums": {"-t", "ext4", "-O", "metadata_csum_seed"},
		"large directories": {"-t", "ext4", "-O", "large_dir"},
		"case folding":      {"-t", "ext4", "-O", "casefold"},
		"no types":          {"-t", "ext4", "-O", "^filetype"},
		"values in inodes":  {"-t", "ext4", "-O", "ea_inode"},
	} {
		t.Run(name, func(t *testing.T) {
			image := made(t, dir, "64M", args...)
			r := open(t, image)
			got, err := filetree.FromFS(r)
			require.NoError(t, err)
			diffs, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{
				TimeResolution: 1e9, // mke2fs 1.47 has no fractions
				Skip:           func(path string) bool { return path == "lost+found" },
				// Revision 0 has no attributes.
				SkipXattr: func(string) bool { return name == "ext2 revision 0" },
			})
			require.NoError(t, err)
			require.Empty(t, withoutRoot(diffs))
		})
	}
}

// withoutRoot leaves out the root's time and mode, which mke2fs does not copy.
func withoutRoot(diffs []filetree.Difference) (list []filetree.Difference) {
	for _, d := range diffs {
		if d.Path != "." {
			list = append(list, d)
		}
	}
	return list
}

// TestReaderReadsKernel has the reader read what the kernel has written.
func TestReaderReadsKernel(t *testing.T) {
	for name, args := range map[string][]string{
		"ext2":    {"-t", "ext2", "-b", "1024"},
		"ext3":    {"-t", "ext3"},
		"ext4":    {"-t", "ext4"},
		"ext4 1k": {"-t", "ext4", "-b", "1024"},
		"inline":  {"-t", "ext4", "-O", "inline_data"},
		"ea":      {"-t", "ext4", "-O", "ea_inode"},
	} {
		t.Run(name, func(t *testing.T) {
			image := made(t, sourceDir(t), "128M", args...)
			dir, unmount := mount(t, image, "rw,user_xattr,acl")
			kernelWrites(t, dir, name == "ea")
			want, err := filetree.FromDir(dir)
			require.NoError(t, err)
			// FromDir keeps no contents: they are compared while both are there.
			tool(t, "mount", "-o", "remount,ro", dir)
			requireReadKernel(t, want, open(t, image))
			require.NoError(t, want.Close())
			unmount()
			_, err = filetree.FromFS(open(t, image))
			require.NoError(t, err)
		})
	}
}

func requireReadKernel(t *testing.T, want *filetree.Tree, r *ext4.Reader) {
	t.Helper()
	got, err := filetree.FromFS(r)
	require.NoError(t, err)
	diffs, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{
		Aspects: filetree.DefaultAspects | filetree.AspectHoles,
		Skip:    func(path string) bool { return path == "lost+found" },
	})
	require.NoError(t, err)
	require.Empty(t, diffs)
}

// kernelWrites changes a mounted file system in ways that a writer in one pass
// does not.
func kernelWrites(t *testing.T, dir string, largeValues bool) {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	none := ^uint32(0)
	sparseFile(t, at("kernel holes"))
	require.NoError(t, os.Truncate(at("kernel holes"), 301<<20)) // a hole at the end, which mke2fs can lose
	require.NoError(t, os.Mkdir(at("grown"), 0o700))
	for i := range 2000 {
		require.NoError(t, os.WriteFile(at(fmt.Sprintf("grown/%d-%s", i, strings.Repeat("g", i%100))), nil, 0o600))
	}
	for i := range 1500 {
		require.NoError(t, os.Remove(at(fmt.Sprintf("grown/%d-%s", i, strings.Repeat("g", i%100)))))
	}
	fragmented, err := os.Create(at("fragmented"))
	require.NoError(t, err)
	for i := range int64(500) {
		_, err := fragmented.WriteAt(sample.Pattern(4096), i*8192)
		require.NoError(t, err)
		if i%50 == 0 {
			require.NoError(t, fragmented.Sync())
		}
		if i == 50 {
			_ = unix.Fallocate(int(fragmented.Fd()), unix.FALLOC_FL_KEEP_SIZE, 3<<20, 2<<20) // not on ext2, ext3
		}
	}
	require.NoError(t, fragmented.Close())
	acl := vfsACL([3]uint32{1, 6, none}, [3]uint32{2, 7, 1000}, [3]uint32{4, 4, none}, [3]uint32{8, 5, 2000}, [3]uint32{0x10, 7, none}, [3]uint32{0x20, 0, none})
	require.NoError(t, unix.Setxattr(dir, "system.posix_acl_default", acl, 0))
	require.NoError(t, unix.Setxattr(at("sizes/1"), "system.posix_acl_access", acl, 0))
	for i := range 5 {
		require.NoError(t, unix.Setxattr(at("sizes/0"), fmt.Sprintf("user.%d", i), sample.Pattern(10*i), 0))
	}
	if largeValues {
		require.NoError(t, unix.Setxattr(at("sizes/300000"), "user.large", sample.Pattern(60000), 0))
	}
	require.NoError(t, os.Rename(at("two"), at("grown/three")))
	unix.Sync()
}

// TestReaderRefuses has plain words for what is not read.
func TestReaderRefuses(t *testing.T) {
	t.Run("not ext", func(t *testing.T) {
		_, err := ext4.Open(strings.NewReader(""), 0)
		require.ErrorIs(t, err, ext4.ErrNotExt)
		require.EqualError(t, err, "ext4: no ext file system: the superblock's magic number is 0x0000: want 0xef53")
	})
	t.Run("journal device", func(t *testing.T) {
		requireRefused(t, "ext4: volume has a feature that is not read: journal_dev", volume.ErrFeature, "-O", "journal_dev")
	})
	t.Run("mounted", func(t *testing.T) {
		image := made(t, t.TempDir(), "16M", "-t", "ext4")
		dir, unmount := mount(t, image, "rw")
		require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
		tool(t, "sync", "-f", dir)
		_, err := ext4.Open(openFile(t, image), 16<<20)
		require.ErrorIs(t, err, ext4.ErrJournal)
		unmount()
		_, err = open(t, image).Stat("file")
		require.NoError(t, err)
	})
	t.Run("truncated", func(t *testing.T) {
		image := made(t, t.TempDir(), "16M", "-t", "ext4", "-b", "4096")
		_, err := ext4.Open(openFile(t, image), 8<<20)
		require.ErrorIs(t, err, volume.ErrDamaged)
		require.ErrorContains(t, err, "the superblock has 4096 blocks of 4096 bytes: want 1 to 2048 in the volume's 8388608 bytes")
	})
	t.Run("encrypted", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "secret"), 0o700))
		image := made(t, dir, "16M", "-t", "ext4", "-O", "encrypt")
		tool(t, "debugfs", "-w", "-R", "set_inode_field secret flags 0x80800", image)
		_, err := open(t, image).ReadDir("secret")
		require.ErrorIs(t, err, volume.ErrFeature)
		require.ErrorContains(t, err, "is encrypted")
	})
}

// Directories in the same blocks would let a small volume have any number of files.
func TestReaderRefusesDirectoriesThatMeet(t *testing.T) {
	const dirs, blocks = 200, 12
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.Mkdir(at("large"), 0o755))
	for i := range 200 {
		require.NoError(t, os.WriteFile(at(fmt.Sprintf("large/%d-%s", i, strings.Repeat("n", 60))), nil, 0o644))
	}
	for i := range dirs {
		require.NoError(t, os.Mkdir(at(fmt.Sprint(i)), 0o755))
	}
	image := made(t, dir, "2M", "-t", "ext2", "-b", "1024", "-N", "500")
	_, list, ok := strings.Cut(tool(t, "debugfs", "-R", "blocks large", image), "\n") // behind debugfs's version
	require.True(t, ok)
	var commands strings.Builder
	for i := range dirs {
		for k, block := range strings.Fields(list)[:blocks] {
			fmt.Fprintf(&commands, "sif %d block[%d] %s\n", i, k, block)
		}
		fmt.Fprintf(&commands, "sif %d size %d\n", i, blocks*1024)
	}
	script := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(script, []byte(commands.String()), 0o644))
	tool(t, "debugfs", "-w", "-f", script, image)
	err := fs.WalkDir(open(t, image), ".", func(_ string, _ fs.DirEntry, err error) error { return err })
	require.ErrorIs(t, err, volume.ErrDamaged)
	require.ErrorContains(t, err, "directories have ")
}

func requireRefused(t *testing.T, text string, want error, args ...string) {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	tool(t, "mke2fs", append(append([]string{"-q", "-F"}, args...), image, "16M")...)
	_, err := ext4.Open(openFile(t, image), 16<<20)
	require.ErrorIs(t, err, want)
	require.EqualError(t, err, text)
}

func openFile(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestReaderComparesChecksums changes a byte of each structure.
func TestReaderComparesChecksums(t *testing.T) {
	dir := sourceDir(t)
	image := made(t, dir, "32M", "-t", "ext4", "-b", "1024", "-I", "256")
	tool(t, "e2fsck", "-fyD", image) // gives directories their index
	debugfs := func(request string) string {
		out, err := exec.CommandContext(context.Background(), fixture.RequireTool(t, "debugfs"), "-R", request, image).Output()
		require.NoError(t, err)
		return strings.TrimSpace(string(out))
	}
	number := func(s string) (n int64) {
		_, err := fmt.Sscan(s, &n)
		require.NoError(t, err, s)
		return n
	}
	index := number(debugfs("bmap many 0"))
	leaf := number(debugfs("bmap many 1"))
	var inode, at int64
	_, where, _ := strings.Cut(debugfs("imap sizes/100"), "located at ")
	_, err := fmt.Sscanf(where, "block %d, offset 0x%x", &inode, &at)
	require.NoError(t, err, where)
	for _, tc := range []struct {
		name  string
		at    int64
		files []string
		want  string
	}{
		{"superblock", 1024 + 0x78, nil, "the superblock has the checksum"},
		{"group", 2048 + 0x1c, []string{"."}, "the descriptor of group 0 has the checksum"},
		{"inode", inode*1024 + at + 0x64, []string{"sizes/100"}, "inode "},
		{"index", index*1024 + 0x30, []string{"many/x"}, "the index in block 0 of the directory has the checksum"},
		{"leaf", leaf*1024 + 1023, []string{"many/x"}, "block 1 of the directory has the checksum"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, err := os.ReadFile(image)
			require.NoError(t, err)
			b[tc.at] ^= 0x40
			r, err := ext4.Open(strings.NewReader(string(b)), int64(len(b)))
			for _, name := range tc.files {
				require.NoError(t, err)
				_, err = r.Stat(name)
			}
			require.ErrorIs(t, err, volume.ErrDamaged)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "has the checksum 0x")
		})
	}
}

package ext4_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
)

// debugfs runs one request of debugfs on an image.
func debugfs(t testing.TB, image, request string) string {
	t.Helper()
	return tool(t, "debugfs", "-R", request, image)
}

// number returns the number behind a key in what a tool prints.
func number(t testing.TB, out, key string) int64 {
	t.Helper()
	m := regexp.MustCompile(regexp.QuoteMeta(key) + `\s*(\d+)`).FindStringSubmatch(out)
	require.NotNil(t, m, "%s in %s", key, out)
	n, err := strconv.ParseInt(m[1], 10, 64)
	require.NoError(t, err)
	return n
}

// manyFiles is a directory of n empty files.
func manyFiles(t testing.TB, n int) *filetree.Tree {
	t.Helper()
	tr := filetree.New()
	for i := range n {
		if _, err := tr.Add(fmt.Sprintf("many/file-%07d", i), filetree.Entry{Mode: 0o644, ModTime: created}); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

// TestLargeDirectory has the index of a directory grow a level: its root leads to 123
// leaves of 40 of these names each with blocks of 1 KiB, to 507 of 163 with 4 KiB.
func TestLargeDirectory(t *testing.T) {
	for blockSize, files := range map[int]int{1024: 20_000, 4096: 90_000} {
		image := write(t, &ext4.FileSystem{Tree: manyFiles(t, files), BlockSize: blockSize}, 0)
		fsck(t, image)
		index := debugfs(t, image, "htree_dump /many")
		require.Contains(t, index, "Indirect levels: 1\n")
		require.Contains(t, index, "Hash Version: 1\n")
		require.NotContains(t, index, "BUG")
	}
}

func TestDirectoryBeyondItsIndex(t *testing.T) {
	// Two levels of blocks of 1 KiB lead to 123*126 leaves, which hold 2 names
	// of 255 bytes each where they are filled to four fifths.
	tr := filetree.New()
	for i := range 123*126*3 + 1 {
		if _, err := tr.Add(fmt.Sprintf("many/%0255d", i), filetree.Entry{}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := (&ext4.FileSystem{Tree: tr, BlockSize: 1024}).Plan(t.Context(), geometry(0))
	require.ErrorIs(t, err, ext4.ErrUnsupported)
	require.ErrorContains(t, err, "ext4 many: not possible in ext4: directory of 46495 entries needs")
}

func TestManySubdirectories(t *testing.T) {
	if testing.Short() {
		t.Skip("65,000 directories")
	}
	for _, n := range []int{64998, 64999} { // 65,000 links are the last
		tr := filetree.New()
		for i := range n {
			if _, err := tr.Add(fmt.Sprintf("d/%d", i), filetree.Dir(0o755)); err != nil {
				t.Fatal(err)
			}
		}
		image := write(t, &ext4.FileSystem{Tree: tr, BlockSize: 1024}, 0)
		fsck(t, image)
		want := map[int]int64{64998: 65000, 64999: 1}[n]
		require.Equal(t, want, number(t, debugfs(t, image, "stat /d"), "Links:"))
	}
}

// A file of so many holes that its extents need a tree of several levels.
func TestExtentDepths(t *testing.T) {
	for _, tc := range []struct {
		blockSize, extents int
		depth              string
	}{
		{1024, 4, ""}, {1024, 5, "0/ 1"}, {1024, 4*84 + 1, "0/ 2"}, {1024, 4*84*84 + 1, "0/ 3"}, {4096, 4*340 + 1, "0/ 2"},
	} {
		data := make([]filetree.Range, tc.extents)
		for i := range data {
			data[i] = filetree.Range{Offset: int64(i * 2 * tc.blockSize), Length: 1}
		}
		tr := filetree.New()
		_, err := tr.Add("file", filetree.Entry{Mode: 0o644, Size: int64(2 * tc.extents * tc.blockSize), Data: data})
		require.NoError(t, err)
		image := write(t, &ext4.FileSystem{Tree: tr, BlockSize: tc.blockSize}, 0)
		fsck(t, image)
		if tc.depth != "" {
			require.Contains(t, debugfs(t, image, "dump_extents -n /file"), "\n "+tc.depth+" ")
		}
	}
}

// A sparse file of 100 GiB takes the blocks of its data.
func TestHugeFile(t *testing.T) {
	const size = 100 << 30
	tr := filetree.New()
	_, err := tr.Add("sparse", filetree.Entry{Mode: 0o644, Size: size, Data: []filetree.Range{{Offset: size - 5000, Length: 5000}}})
	require.NoError(t, err)
	image := write(t, &ext4.FileSystem{Tree: tr}, 0)
	fsck(t, image)
	stat := debugfs(t, image, "stat /sparse")
	require.Equal(t, int64(size), number(t, stat, "Size:"))
	require.Equal(t, int64(2*8), number(t, stat, "Blockcount:"))
}

// A file without holes goes around the tables of many groups.
func TestFileOverManyGroups(t *testing.T) {
	const size = 600 << 20
	tr := filetree.New()
	_, err := tr.Add("full", filetree.Entry{
		Mode: 0o644, Size: size, Data: []filetree.Range{{Length: size}},
		Open: func() (filetree.Content, error) { return io.NopCloser(io.LimitReader(zeros{}, size)), nil },
	})
	require.NoError(t, err)
	image := write(t, &ext4.FileSystem{Tree: tr, BlockSize: 1024}, 0)
	fsck(t, image)
	// Ten copies of the superblock, five flex groups, extents of 32 MiB.
	require.Regexp(t, `(?s) 0/ 1 .* 1/ 1  \d+/ \d+ `, debugfs(t, image, "dump_extents /full"))
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestSharedAttributes(t *testing.T) {
	value := make([]byte, 200)
	for i := range value {
		value[i] = byte(i)
	}
	tr := filetree.New()
	for i := range 2500 {
		_, err := tr.Add(fmt.Sprintf("f%04d", i), filetree.Entry{Mode: 0o644, Xattrs: []filetree.Xattr{{Name: "user.v", Value: value}}})
		require.NoError(t, err)
	}
	image := write(t, &ext4.FileSystem{Tree: tr}, 0)
	fsck(t, image)
	blocks := map[int64]int{}
	for _, name := range []string{"f0000", "f1023", "f1024", "f2499"} {
		blocks[number(t, debugfs(t, image, "stat /"+name), "File ACL:")]++
	}
	require.Len(t, blocks, 3) // of 1,024 users each
	out := filepath.Join(t.TempDir(), "value")
	debugfs(t, image, "ea_get -f "+out+" /f2499 user.v")
	got, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, value, got)
}

// What dumpe2fs tells of a file system is what mke2fs makes of the same wishes.
func TestSameAsMke2fs(t *testing.T) {
	for _, size := range []int64{8 << 20, 200 << 20, 3 << 30} {
		p, err := (&ext4.FileSystem{Label: "label"}).Plan(t.Context(), geometry(size))
		require.NoError(t, err)
		ours := filepath.Join(t.TempDir(), "ours")
		writePlan(t, p, ours)
		theirs := filepath.Join(t.TempDir(), "theirs")
		tool(t, "mke2fs", "-q", "-t", "ext4", "-b", "4096", "-i", "16384", "-I", "256", "-L", "label", "-U", p.Info().UUID,
			"-O", "^orphan_file,^metadata_csum_seed,metadata_csum,64bit", "-E", "lazy_itable_init=0", theirs, fmt.Sprintf("%dk", size>>10))
		require.Equal(t, header(t, theirs), header(t, ours))
		for ino := range 12 { // the root, the resize inode, the journal, lost+found; those without a use
			require.Equal(t, inodeOf(t, theirs, ino), inodeOf(t, ours, ino))
		}
	}
}

// inodeOf returns what debugfs tells of an inode, without times and places.
func inodeOf(t *testing.T, image string, ino int) string {
	if ino < inoRoot {
		return ""
	}
	out := debugfs(t, image, fmt.Sprintf("stat <%d>", ino))
	out, _, _ = strings.Cut(out, "ctime")
	_, out, _ = strings.Cut(out, "\n")
	return out
}

const inoRoot = 2

// header returns what dumpe2fs tells, without what depends on a clock or chance.
func header(t *testing.T, image string) string {
	var lines []string
	for line := range strings.Lines(tool(t, "dumpe2fs", "-h", image)) {
		key, _, _ := strings.Cut(line, ":")
		switch key {
		case "Filesystem created", "Last write time", "Last checked", "Directory Hash Seed", "Checksum", "Lifetime writes",
			"Overhead clusters", "Journal checksum type", "Journal checksum":
			continue
		}
		if strings.HasPrefix(line, "dumpe2fs") {
			continue
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}

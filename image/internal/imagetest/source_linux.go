package imagetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/internal/sample"
)

// SourceDir makes a directory of all that a program may copy to a file system. It
// takes root.
func SourceDir(t testing.TB) string {
	t.Helper()
	fixture.RequireRoot(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, b []byte) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Dir(at(name)), 0o755))
		require.NoError(t, os.WriteFile(at(name), b, 0o640))
	}
	for i, n := range []int{0, 1, 100, 4095, 4096, 4097, 8192, 100_000, 1 << 17, 1<<20 + 77} {
		write(fmt.Sprintf("sizes/%d", n), sample.Pattern(n))
		write(fmt.Sprintf("noise/%d", n), sample.Noise(uint64(i), n))
		write(fmt.Sprintf("zeros/%d", n), make([]byte, n))
	}
	for i := range 600 {
		write(fmt.Sprintf("many/%d-%s", i, strings.Repeat("n", i%240)), sample.Pattern(i))
	}
	for i := range 5 {
		require.NoError(t, os.MkdirAll(at(fmt.Sprintf("empty/%d", i)), 0o700))
	}
	for _, n := range []int{1, 200, 1000, 4095} {
		require.NoError(t, os.Symlink(strings.Repeat("t", n), at(fmt.Sprintf("sizes/link%d", n))))
	}
	holes, err := os.Create(at("holes"))
	require.NoError(t, err)
	for _, off := range []int64{0, 1 << 20, 5<<20 + 4096} {
		_, err := holes.WriteAt(sample.Pattern(5000), off)
		require.NoError(t, err)
	}
	require.NoError(t, holes.Truncate(9<<20+1))
	require.NoError(t, holes.Close())
	require.NoError(t, os.Link(at("sizes/8192"), at("linked")))
	require.NoError(t, os.Link(at("sizes/8192"), at("many/linked")))
	require.NoError(t, unix.Mknod(at("char"), unix.S_IFCHR|0o600, int(unix.Mkdev(4, 64))))
	require.NoError(t, unix.Mknod(at("block"), unix.S_IFBLK|0o660, int(unix.Mkdev(259, 70000))))
	require.NoError(t, unix.Mkfifo(at("fifo"), 0o600))
	require.NoError(t, unix.Mknod(at("socket"), unix.S_IFSOCK|0o755, 0))
	for i, name := range []string{"char", "sizes/100", "sizes/4096", "sizes/link200", "empty/1"} {
		require.NoError(t, os.Lchown(at(name), 70000+i, 80000))
		require.NoError(t, unix.Lsetxattr(at(name), "trusted.two", sample.Pattern(300*i+1), 0))
		require.NoError(t, unix.Lsetxattr(at(name), "security.label", []byte("same"), 0))
	}
	require.NoError(t, unix.Setxattr(at("sizes/1"), "user.one", sample.Pattern(3000), 0))
	require.NoError(t, unix.Setxattr(at("sizes/1"), "user.empty", nil, 0))
	require.NoError(t, os.Chmod(at("sizes/4097"), 0o755|os.ModeSetuid))
	require.NoError(t, unix.Setxattr(at("noise/1"), "security.capability", []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0))
	require.NoError(t, os.Chtimes(dir, Created, time.Unix(0, 0)))
	return dir
}

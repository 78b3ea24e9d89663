package ext4_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
)

// TestFree writes over what is said to be free, and wants a file system that is
// sound and has its files; and no other block to be free.
func TestFree(t *testing.T) {
	tr := filetree.New()
	content := strings.Repeat("content", 20000)
	for i := range 40 {
		_, err := tr.Add(fmt.Sprint(i), filetree.File([]byte(content), 0o644))
		require.NoError(t, err)
	}
	for _, size := range []int64{16 << 20, 140 << 20} { // of one group, and of several
		p, err := (&ext4.FileSystem{Tree: tr}).Plan(t.Context(), geometry(size))
		require.NoError(t, err)
		name := filepath.Join(t.TempDir(), "ext4.img")
		writePlan(t, p, name)
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		require.NoError(t, err)
		info := p.Info()
		total := int64(0)
		for _, e := range info.Free {
			_, err := f.WriteAt(bytes.Repeat([]byte{0xff}, int(e.Length)), e.Offset)
			require.NoError(t, err)
			total += e.Length
		}
		require.NoError(t, f.Close())
		require.Equal(t, info.Size-info.Used, total)
		fsck(t, name)
		require.Equal(t, content, debugfs(t, name, "cat /39")[len("debugfs 1.47.0 (5-Feb-2023)\n"):])
	}
}

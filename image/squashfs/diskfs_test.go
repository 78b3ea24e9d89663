package squashfs_test

import (
	"bytes"
	"io/fs"
	"os"
	"testing"

	"github.com/diskfs/go-diskfs/backend/file"
	diskfs "github.com/diskfs/go-diskfs/filesystem/squashfs"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/squashfs"
)

// TestDiskfsReadsBack has another implementation read what was written.
func TestDiskfsReadsBack(t *testing.T) {
	for name, variant := range variants {
		t.Run(name, func(t *testing.T) {
			tr := small(t)
			fsys := variant()
			if fsys.Compression == squashfs.LZ4 {
				t.Skip("go-diskfs 1.9.4 expects frames of lz4, where the format has blocks")
			}
			fsys.Tree = tr
			image := write(t, fsys, 0)
			info, err := os.Stat(image)
			require.NoError(t, err)
			backend, err := file.OpenFromPath(image, true)
			require.NoError(t, err)
			defer backend.Close()
			files, err := diskfs.Read(backend, info.Size(), 0, 0)
			require.NoError(t, err)
			require.NoError(t, tr.Walk(func(n filetree.Node) error {
				if !n.Mode().IsRegular() {
					return nil
				}
				got, err := fs.ReadFile(files, n.Path())
				require.NoError(t, err, n.Path())
				c, err := n.Open()
				require.NoError(t, err)
				var want bytes.Buffer
				_, err = want.ReadFrom(c)
				require.NoError(t, err)
				require.True(t, bytes.Equal(want.Bytes(), got), n.Path())
				return nil
			}))
		})
	}
}

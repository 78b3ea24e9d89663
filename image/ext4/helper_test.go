package ext4_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/internal/imagetest"
)

var (
	created   = imagetest.Created
	geometry  = imagetest.Geometry
	writePlan = imagetest.WritePlan
	tool      = imagetest.Tool
)

// write plans a file system and writes it to a file.
func write(t testing.TB, fs *ext4.FileSystem, size int64) string {
	t.Helper()
	return imagetest.Write(t, fs, size)
}

// fsck fails the test where e2fsck has anything to say beyond its passes.
func fsck(t testing.TB, image string) {
	t.Helper()
	out := tool(t, "e2fsck", "-fn", image)
	require.Regexp(t, `\Ae2fsck .*
Pass 1: Checking inodes, blocks, and sizes
Pass 2: Checking directory structure
Pass 3: Checking directory connectivity
Pass 4: Checking reference counts
Pass 5: Checking group summary information
.*: \d+/\d+ files \(.*% non-contiguous\), \d+/\d+ blocks
\z`, out)
}

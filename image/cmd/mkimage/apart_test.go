package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBuildInsideOfSource wants no image to become a part of its own source, by
// whatever name.
func TestBuildInsideOfSource(t *testing.T) {
	dir := t.TempDir()
	mkdir := func(name string) { require.NoError(t, os.MkdirAll(filepath.Join(dir, name), 0o755)) }
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	mkdir("src/sub")
	mkdir("other")
	write("src/file", "file")
	write("raw", "raw")
	write("single", "single")
	require.NoError(t, os.Symlink("src", filepath.Join(dir, "link")))
	require.NoError(t, os.Symlink("../src/sub", filepath.Join(dir, "other/link")))
	require.NoError(t, os.Symlink("raw", filepath.Join(dir, "raw-link")))
	require.NoError(t, os.Link(filepath.Join(dir, "raw"), filepath.Join(dir, "raw-hard")))
	write("disk.yaml", `
partitions:
- content: {format: raw, file: raw}
- content:
    format: ext4
    journal: none
    files:
    - {from: src, exclude: ["*.img", /tmp]}
    - {path: /single, file: single}
`)
	for _, tc := range []struct{ out, want string }{
		{"src/disk", "is inside of the source DIR/src: want a place outside"},
		{"src/sub/disk.zst", "is inside of the source DIR/src: want"},
		{"link/disk", "is inside of the source DIR/src: want"},
		{"other/link/disk", "is inside of the source DIR/src: want"},
		{"other/../src/disk", "is inside of the source DIR/src: want"},
		{"src/file", "is inside of the source DIR/src: want"},
		{"src/disk.img", ""},
		{"src/sub/disk.img", ""},
		{"raw", "is the source DIR/raw: want another name"},
		{"raw-link", "is the source DIR/raw: want another name"},
		{"raw-hard", "is the source DIR/raw: want another name"},
		{"single", "is the source DIR/single: want another name"},
		{"other/disk", ""},
		{"disk", ""},
	} {
		t.Run(tc.out, func(t *testing.T) {
			_, _, err := mkimage(t, "build", "-q", filepath.Join(dir, "disk.yaml"), "-o", filepath.Join(dir, tc.out))
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, strings.ReplaceAll(tc.want, "DIR", dir))
			require.Equal(t, 2, exitStatus(err))
		})
	}
	b, err := os.ReadFile(filepath.Join(dir, "raw"))
	require.NoError(t, err)
	require.Equal(t, "raw", string(b))

	t.Chdir(filepath.Join(dir, "src"))
	_, _, err = mkimage(t, "build", "-q", "../disk.yaml", "-o", "disk")
	require.ErrorContains(t, err, "the output disk is inside of the source ../src: want")
}

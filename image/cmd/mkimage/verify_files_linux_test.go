package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestVerifyFiles has all that squashfs and EROFS hold compared and listed, and what
// the former was told to leave out passed by.
func TestVerifyFiles(t *testing.T) {
	for _, tc := range []struct{ name, content, dropped string }{
		{"squashfs", "format: squashfs\n    drop-unsupported: true", ", system.other: x"},
		{"erofs", "format: erofs", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			spec, name := filepath.Join(dir, "disk.yaml"), filepath.Join(dir, "disk.img")
			write := func(note string) {
				require.NoError(t, os.WriteFile(spec, []byte(`
table: none
partitions:
- content:
    `+tc.content+`
    files:
    - {path: /file, text: text, xattrs: {user.note: `+note+tc.dropped+`}}
    - {path: /linked, link: /file}
    - {path: /tty, device: "char 4:64"}
    - {path: /old, text: "", time: "1960-01-01T00:00:00Z"}
`), 0o644))
			}
			write("one")
			_, _, err := mkimage(t, "build", "-q", spec, "-o", name)
			require.NoError(t, err)
			out, _, err := mkimage(t, "verify", name, spec, "--files")
			require.NoError(t, err, out)

			out, _, err = mkimage(t, "inspect", "--files", name)
			require.NoError(t, err)
			require.Regexp(t, `file \[user.note\]\n.* linked == file \[user.note\]\n.* old\nc.* tty \(char 4:64\)\n`, out)

			write("two")
			out, _, err = mkimage(t, "verify", name, spec, "--files")
			require.Error(t, err)
			require.Equal(t, `partition 1: file: extended attribute user.note="one", want user.note="two"`+"\n", out)
		})
	}
}

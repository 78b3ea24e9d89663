package iso9660_test

import (
	"io/fs"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/iso9660"
)

// xorriso gives symbolic links no time, makes no sockets, and takes two slashes
// for one.
func TestXorrisoSeesEverything(t *testing.T) {
	tr := everything(t)
	link := map[string]bool{}
	require.NoError(t, tr.Walk(func(n filetree.Node) error {
		link[n.Path()] = n.Mode().Type() == fs.ModeSymlink
		return nil
	}))
	requireSame(t, tr, extract(t, write(t, &iso9660.FileSystem{Tree: tr, Joliet: true, MapNames: true}, 0)), func(d filetree.Difference) bool {
		return link[d.Path] && d.Aspect == filetree.AspectModTime || d.Path == "special/socket" || d.Want == `"//usr//lib/"`
	})
}

// TestXorrisoListsEverything wants devices and sockets as they are.
func TestXorrisoListsEverything(t *testing.T) {
	name := write(t, &iso9660.FileSystem{Tree: everything(t)}, 0)
	list := tool(t, "xorriso", "-abort_on", "WARNING", "-indev", name, "-find", "/special", "-exec", "lsdl")
	for _, line := range []string{
		`crw--w---- +1 0 +5 +1,3 Feb 29 +2024 '/special/char1'`, `brw-rw---- +1 0 +6 +4095,255 Feb 29 +2024 '/special/block4'`,
		`prw------- +1 0 +0 +0 Feb 29 +2024 '/special/fifo'`, `srwxr-xr-x +1 0 +0 +0 Feb 29 +2024 '/special/socket'`,
	} {
		require.Regexp(t, regexp.MustCompile(line), list)
	}
}

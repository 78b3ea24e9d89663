package loop_test

import (
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/loop"
)

func names(infos []loop.Info) []string {
	var names []string
	for _, info := range infos {
		names = append(names, info.Name)
	}
	return names
}

func TestListAndFind(t *testing.T) {
	fixture.RequireLoop(t)
	f := namedFile(t, "disk", 4*mib)
	d := attach(t, f, loop.Options{Offset: mib, Size: 2 * mib, BlockSize: 4096, DirectIO: loop.DirectIOTry})
	want := loop.Info{
		Name: d.Name(), Number: d.Number(), BackingFile: f.Name(),
		Offset: mib, SizeLimit: 2 * mib, Size: 2 * mib, BlockSize: 4096,
		DirectIO: true, Autoclear: true, DiskSeq: d.DiskSeq(),
	}
	all, err := loop.List()
	require.NoError(t, err)
	require.Contains(t, all, want)
	found, err := loop.Find(f)
	require.NoError(t, err)
	require.Equal(t, []loop.Info{want}, found)

	found, err = loop.Find(memfd(t, mib))
	require.NoError(t, err)
	require.Empty(t, found)
}

// The kernel writes the path as it is, " (deleted)" behind it where it applies,
// and a newline behind that.
func TestBackingFileNames(t *testing.T) {
	fixture.RequireLoop(t)
	for _, tc := range []struct {
		name   string
		remove bool
	}{
		{"plain", false},
		{"plain", true},
		{"with a\nnewline\n", false},
		{"with a\nnewline\n", true},
		{"not really (deleted)", false},
		{"twice (deleted)", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := namedFile(t, tc.name, mib)
			d := attach(t, f, loop.Options{})
			if tc.remove {
				require.NoError(t, os.Remove(f.Name()))
			}
			found, err := loop.Find(f)
			require.NoError(t, err)
			require.Equal(t, []string{d.Name()}, names(found))
			require.Equal(t, []any{f.Name(), tc.remove}, []any{found[0].BackingFile, found[0].Deleted})
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, 4*mib), loop.Options{})
	p, err := d.AddPartition(t.Context(), 1, mib, mib)
	require.NoError(t, err)
	unbound := addDevice(t)
	for _, tc := range []struct {
		name string
		want error
	}{
		{"/dev/null", loop.ErrNotLoop},
		{"/dev", loop.ErrNotLoop},
		{p.Path(), loop.ErrNotLoop},
		{p.Name, loop.ErrNotLoop},
		{"", loop.ErrNotLoop},
		{"sda", loop.ErrNotLoop},
		{"loop", loop.ErrNotLoop},
		{"loop03", loop.ErrNotLoop},
		{"loop-control", loop.ErrNotLoop},
		{"loop1048575", fs.ErrNotExist},
		{"/dev/loop1048575", fs.ErrNotExist},
		{unbound, loop.ErrNotBound},
		{"/dev/" + unbound, loop.ErrNotBound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := openFiles(t)
			d, err := loop.Open(tc.name)
			require.Nil(t, d)
			require.ErrorIs(t, err, tc.want)
			require.Equal(t, before, openFiles(t))
		})
	}
}

func TestOpenThroughASymbolicLink(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, mib), loop.Options{ReadOnly: true})
	link := t.TempDir() + "/link"
	require.NoError(t, os.Symlink(d.Path(), link))
	again, err := loop.Open(link)
	require.NoError(t, err)
	require.Equal(t, look(d), look(again))
	require.NoError(t, again.Close())
	require.True(t, bound(t, d.DiskSeq()), "closing one Device spares the other")
}

package iso9660_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/iso9660"
	"github.com/drivebay/drivebay/image/volume"
)

// tree returns a tree of one file.
func tree(t testing.TB, path string, e filetree.Entry) *filetree.Tree {
	t.Helper()
	tr := filetree.New()
	_, err := tr.Add(path, e)
	require.NoError(t, err)
	return tr
}

func TestOptions(t *testing.T) {
	file := tree(t, "boot", filetree.File(make([]byte, 2048), 0o644))
	at := geometry(0)
	at.Offset = 1 << 20
	coarse := geometry(0)
	coarse.SectorSize = 4096
	odd := geometry(1000)
	early := geometry(0)
	early.Time = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		fs   iso9660.FileSystem
		g    volume.Geometry
		want string
	}{
		{iso9660.FileSystem{}, coarse, "sector size 4096: bad option: want 512, 1024 or 2048"},
		{iso9660.FileSystem{}, odd, "volume size 1000: bad option: want a multiple of the sector size, 512"},
		{iso9660.FileSystem{}, early, "creation time 0000-01-01T00:00:00Z: bad option: want years 1 to 9999"},
		{iso9660.FileSystem{Level: 4}, geometry(0), "level 4: bad option: want 1, 2, 3, or 0 for 3"},
		{iso9660.FileSystem{VolumeID: strings.Repeat("x", 33)}, geometry(0), "want at most 32 characters of ASCII"},
		{iso9660.FileSystem{VolumeID: "é"}, geometry(0), `volume ID "é": bad option`},
		{iso9660.FileSystem{PublisherID: strings.Repeat("x", 129)}, geometry(0), "publisher ID"},
		{iso9660.FileSystem{Hybrid: &iso9660.Hybrid{}}, at, "hybrid volume at 1048576: bad option: want offset 0"},
		{iso9660.FileSystem{Hybrid: &iso9660.Hybrid{BootCode: make([]byte, 433)}}, geometry(0), "boot code of a length of 433: bad option: want at most 432 bytes"},
		{iso9660.FileSystem{Hybrid: &iso9660.Hybrid{BootCode: make([]byte, 9)}}, geometry(0), "want a boot entry for BIOS"},
		{iso9660.FileSystem{Boot: []iso9660.BootEntry{{}}}, geometry(0), `boot entry 1 (BIOS): path "": bad option: want either a path or an image`},
		{iso9660.FileSystem{Boot: []iso9660.BootEntry{{Path: "none"}}}, geometry(0), "want a regular file in the tree that is not empty"},
		{iso9660.FileSystem{Boot: []iso9660.BootEntry{{Platform: iso9660.UEFI, Path: "boot", InfoTable: true}}}, geometry(0), "boot entry 1 (UEFI): info table true: bad option"},
		{iso9660.FileSystem{Boot: []iso9660.BootEntry{{Path: "boot", GRUB: true}}}, geometry(0), "boot entry 1 (BIOS): GRUB true: bad option"},
		{iso9660.FileSystem{Boot: []iso9660.BootEntry{{Image: image.RawBytes(nil)}}}, geometry(0), "boot entry 1 (BIOS): image of a length of 0: bad option: want one that is not empty"},
		{iso9660.FileSystem{Boot: make([]iso9660.BootEntry, 32)}, geometry(0), "boot entries 32: bad option: want at most 31"},
	} {
		tc.fs.Tree = file
		_, err := tc.fs.Plan(t.Context(), tc.g)
		require.ErrorIs(t, err, iso9660.ErrOption)
		require.ErrorContains(t, err, tc.want)
	}
}

// TestRefusedOrDropped has what cannot be held be an error, and be listed where that
// is wanted.
func TestRefusedOrDropped(t *testing.T) {
	xattrs := filetree.Entry{Mode: 0o644, Xattrs: []filetree.Xattr{{Name: "security.selinux"}, {Name: "user.a"}, {Name: "user.b"}}}
	late := filetree.Entry{Mode: 0o644, ModTime: time.Date(2156, 1, 1, 0, 0, 0, 0, time.UTC)}
	device := filetree.Entry{Mode: fs.ModeDevice | 0o600, Device: filetree.Device{Minor: 256}}
	fifo := filetree.Entry{Mode: fs.ModeNamedPipe | 0o600}
	plain := iso9660.FileSystem{NoRockRidge: true}
	joliet := iso9660.FileSystem{Joliet: true}
	for _, tc := range []struct {
		fs      iso9660.FileSystem
		path    string
		entry   filetree.Entry
		is      error
		want    string
		dropped string
	}{
		{iso9660.FileSystem{}, "f", xattrs, iso9660.ErrUnsupported, "iso9660 f: extended attributes user.a, user.b: not possible in ISO 9660", "f: extended attributes user.a, user.b"},
		{iso9660.FileSystem{}, "f", late, iso9660.ErrUnsupported, "modification time 2156-01-01T00:00:00Z, want 1900 to 2155", "f: modification time 2156-01-01T00:00:00Z, made 2155-12-31T23:59:59Z"},
		{iso9660.FileSystem{}, "d", device, iso9660.ErrUnsupported, "device 0:256: not possible in ISO 9660: Linux would read another major number", "d: device 0:256"},
		{iso9660.FileSystem{}, strings.Repeat("n", 254), filetree.File(nil, 0o644), iso9660.ErrName, "it has 254 bytes, want at most the 253 that Linux reads", strings.Repeat("n", 254) + ": name of 254 bytes, of which Linux shows the first 250"},
		{plain, "l", filetree.Symlink("target"), iso9660.ErrUnsupported, "symbolic link to target: not possible in ISO 9660 without Rock Ridge", "l: symbolic link to target"},
		{plain, "p", fifo, iso9660.ErrUnsupported, "FIFO: not possible", "p: FIFO"},
		{plain, "two.dots.txt", filetree.File(nil, 0o644), iso9660.ErrName, `in ISO 9660, "TWO_DOTS.TXT" would be the nearest free`, `two.dots.txt: name in ISO 9660 is "TWO_DOTS.TXT"`},
		{joliet, "what?", filetree.File(nil, 0o644), iso9660.ErrName, `in Joliet, "what_" would be the nearest free`, `what?: name in Joliet is "what_"`},
	} {
		tc.fs.Tree = tree(t, tc.path, tc.entry)
		_, err := tc.fs.Plan(t.Context(), geometry(0))
		require.ErrorIs(t, err, tc.is)
		require.ErrorContains(t, err, tc.want)
		tc.fs.Drop, tc.fs.MapNames = true, true
		p, err := tc.fs.Plan(t.Context(), geometry(0))
		require.NoError(t, err)
		require.Equal(t, []string{tc.dropped}, p.Info().Dropped)
	}
}

// TestLinksWithoutRockRidge wants each name of a file to be counted and listed.
func TestLinksWithoutRockRidge(t *testing.T) {
	tr := tree(t, "file", filetree.File([]byte("x"), 0o644))
	_, err := tr.Add("symlink", filetree.Symlink("file"))
	require.NoError(t, err)
	for path, target := range map[string]string{"second": "file", "third": "symlink"} {
		_, err := tr.Link(path, target)
		require.NoError(t, err)
	}
	p, err := (&iso9660.FileSystem{Tree: tr, NoRockRidge: true, Drop: true}).Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	require.Equal(t, int64(3), p.Info().Files) // the root, file, second
	require.Equal(t, []string{
		"second: hard link to file, as a file of its own", "symlink: symbolic link to file", "third: symbolic link to file",
	}, p.Info().Dropped)
}

func TestTooLarge(t *testing.T) {
	for _, tc := range []struct {
		fs   iso9660.FileSystem
		path string
		size int64
		want string
	}{
		{iso9660.FileSystem{Level: iso9660.Level2}, "f", 1 << 32, "file of 4294967296 bytes, want at most 4294967295 at level 2"},
		{iso9660.FileSystem{}, "f", 100<<32 + 1, "want at most 429496524800, in 100 extents"},
		{iso9660.FileSystem{NoRockRidge: true}, "a/b/c/d/e/f/g/h/i", 1, "directory at level 9, want at most 8 without Rock Ridge"},
		{iso9660.FileSystem{NoRockRidge: true}, strings.Repeat(strings.Repeat("d", 31)+"/", 7) + "f", 1, ""},
		{iso9660.FileSystem{NoRockRidge: true}, strings.Repeat(strings.Repeat("d", 31)+"/", 7) + strings.Repeat("f", 29), 1, "path of 256 bytes, want at most 255 without Rock Ridge"},
	} {
		tc.fs.Tree = tree(t, tc.path, filetree.Entry{Mode: 0o644, Size: tc.size})
		_, err := tc.fs.Plan(t.Context(), geometry(0))
		if tc.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, iso9660.ErrTooLarge)
		require.ErrorContains(t, err, tc.want)
	}
	tr := filetree.New()
	for i := range 22 {
		_, err := tr.Add(fmt.Sprint(i), filetree.Entry{Mode: 0o644, Size: 399 << 30})
		require.NoError(t, err)
	}
	_, err := (&iso9660.FileSystem{Tree: tr}).Plan(t.Context(), geometry(0))
	require.ErrorIs(t, err, iso9660.ErrTooLarge)
	require.ErrorContains(t, err, "want at most 8796093020160")
}

// TestProblemsAreTold wants ten of them, and how many there are beside.
func TestProblemsAreTold(t *testing.T) {
	tr := filetree.New()
	for i := range 13 {
		_, err := tr.Add(fmt.Sprintf("%02d:", i), filetree.File(nil, 0o644))
		require.NoError(t, err)
	}
	_, err := (&iso9660.FileSystem{Tree: tr, Joliet: true}).Plan(t.Context(), geometry(0))
	require.Equal(t, 11, strings.Count(err.Error(), "\n")+1)
	require.ErrorContains(t, err, `iso9660 09:: name cannot be held by ISO 9660: in Joliet, "09_" would be`)
	require.ErrorContains(t, err, "and 3 more such problems")
}

func TestSizes(t *testing.T) {
	f := &iso9660.FileSystem{Tree: tree(t, "f", filetree.File([]byte("x"), 0o644)), VolumeID: "LABEL"}
	p, err := f.Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	// The system area, 2 descriptors, 2 path tables, a directory with its
	// continuation, the file.
	const need = (16 + 2 + 2 + 2 + 1) * 2048
	require.Equal(t, volume.Info{Format: "iso9660", Label: "LABEL", UUID: "2024-02-29-12-00-00-00", Size: need + 300<<10, Used: need, Files: 2}, p.Info())
	p, err = f.Plan(t.Context(), geometry(need))
	require.NoError(t, err)
	require.Equal(t, int64(need), p.Info().Size)
	_, err = f.Plan(t.Context(), geometry(need-512))
	var size *volume.SizeError
	require.ErrorAs(t, err, &size)
	require.Equal(t, volume.SizeError{Format: "iso9660", Size: need - 512, Need: need, Resource: "bytes"}, *size)
	p, err = f.Plan(t.Context(), geometry(1<<20))
	require.NoError(t, err)
	require.Equal(t, int64(1<<20), p.Info().Size)
}

// TestSameBytes wants the same bytes of a plan that is written twice, of one that
// was moved to its size, and of another tree that is the same.
func TestSameBytes(t *testing.T) {
	options := func(tr *filetree.Tree) *iso9660.FileSystem {
		return &iso9660.FileSystem{
			Tree: tr, Joliet: true, MapNames: true, Hybrid: &iso9660.Hybrid{},
			Boot: []iso9660.BootEntry{{Path: "sizes/4096", InfoTable: true}, {Platform: iso9660.UEFI, Image: &fat.FileSystem{Label: "ESP"}}},
		}
	}
	small, err := options(everything(t)).Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	size := small.Info().Size + 1<<20
	moved, err := small.(volume.Replanner).Replan(t.Context(), geometry(size))
	require.NoError(t, err)
	anew, err := options(everything(t)).Plan(t.Context(), geometry(size))
	require.NoError(t, err)
	require.Equal(t, anew.Info(), moved.Info())
	var want []byte
	for _, p := range []volume.Plan{anew, anew, moved} {
		name := t.TempDir() + "/volume"
		writePlan(t, p, name)
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		if want == nil {
			want = got
		}
		require.True(t, bytes.Equal(want, got))
	}
}

func TestSourceThatChanges(t *testing.T) {
	e := filetree.File([]byte("content"), 0o644)
	e.Size = 100
	f := &iso9660.FileSystem{Tree: tree(t, "f", e)}
	p, err := f.Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	require.ErrorIs(t, p.Write(t.Context(), newWriter(t, p)), filetree.ErrChanged)
}

func TestCanceled(t *testing.T) {
	p, err := (&iso9660.FileSystem{Tree: everything(t)}).Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, p.Write(ctx, newWriter(t, p)), context.Canceled)
}

// newWriter returns a writer to nowhere.
func newWriter(t *testing.T, p volume.Plan) *volume.Writer {
	w := volume.NewWriter(nowhere{}, p.Info().Size)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w
}

type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

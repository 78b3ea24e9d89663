package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
)

// device returns a loop device of a size, full of old data, with two partitions
// of which the second holds an ext4.
func device(t *testing.T, size int64, sector int) *fixture.AttachedDisk {
	t.Helper()
	old := image.Raw{Size: size / 2, Open: func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(ones{}, size/2)), nil }}
	s := writeSpec(t, "partitions: [{size: 1MiB, content: {format: ext4, journal: none}}]")
	l, err := new(overrides).describe(t.Context(), env{}, s)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return fixture.Disk(t, image.Layout{Size: size, SectorSize: sector, Partitions: []image.Partition{
		{Content: old}, {Weight: 1, Content: l.Partitions[0].Content},
	}})
}

// ones is old data without end.
type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 0xff
	}
	return len(p), nil
}

func TestBuildDevice(t *testing.T) {
	fixture.RequireLoop(t)
	file := filepath.Join(t.TempDir(), "disk.img")
	_, _, err := mkimage(t, "build", "-q", "-o", file, example)
	require.NoError(t, err)
	want := readAll(t, file)

	t.Run("of another size", func(t *testing.T) {
		d := device(t, 100*image.MiB, 512)
		_, errs, err := mkimage(t, "build", "-o", d.Path(), "--device", example, "--json")
		require.NoError(t, err, errs)
		_, _, err = mkimage(t, "verify", d.Path(), example)
		require.NoError(t, err)
		got := readAll(t, d.Path())
		require.Len(t, got, int(100*image.MiB))
		// Without a size in the spec, the disk is as large as the device: but for
		// its tables, it is what the file is.
		end := 17408 // of the tables
		require.True(t, bytes.Equal(want[end:len(want)-end], got[end:len(want)-end]))
		require.True(t, bytes.Equal(make([]byte, len(got)-len(want)), got[len(want)-end:len(got)-end]))
		require.Contains(t, runTool(t, fixture.RequireTool(t, "sgdisk"), "-v", d.Path()), "No problems found")
	})
	t.Run("larger than the image", func(t *testing.T) {
		d := device(t, 100*image.MiB, 512)
		spec := writeSpec(t, "size: 40MiB\npartitions: [{size: 1MiB}, {weight: 1}]\n")
		_, errs, err := mkimage(t, "build", "-o", d.Path(), "--device", spec)
		require.NoError(t, err)
		require.Contains(t, errs, d.Path()+" has 100 MiB, the spec a disk of 40 MiB: the backup partition table goes to the end of "+d.Path()+"\n")
		_, _, err = mkimage(t, "verify", d.Path(), spec)
		require.NoError(t, err)
		require.Contains(t, runTool(t, fixture.RequireTool(t, "sgdisk"), "-v", d.Path()), "No problems found")
		require.NotContains(t, runTool(t, fixture.RequireTool(t, "sfdisk"), "-l", d.Path()), "not on the end")
		disk, err := image.Open(d.Path())
		require.NoError(t, err)
		defer disk.Close()
		require.Equal(t, []int64{image.MiB, 37 * image.MiB}, []int64{disk.Partitions[0].Size, disk.Partitions[1].Size}, "as the spec has them")
	})
	t.Run("larger than the image, without a backup table", func(t *testing.T) {
		d := device(t, 100*image.MiB, 512)
		spec := writeSpec(t, "table: mbr\nsize: 40MiB\npartitions: [{size: 1MiB}]\n")
		_, _, err := mkimage(t, "build", "-q", "-o", d.Path(), "--device", spec)
		require.NoError(t, err)
		_, _, err = mkimage(t, "verify", d.Path(), spec)
		require.NoError(t, err)
		got := readAll(t, d.Path())
		require.Equal(t, byte(0xff), got[45*image.MiB], "what is behind the image is left")
		require.True(t, bytes.Equal(make([]byte, image.MiB), got[99*image.MiB:]), "but for an old backup table")
	})
	t.Run("of other sectors", func(t *testing.T) {
		d := device(t, 100*image.MiB, 4096)
		_, _, err := mkimage(t, "build", "-q", "-o", d.Path(), "--device", writeSpec(t, "sector-size: 512\npartitions: [{size: 1MiB}]\n"))
		require.ErrorContains(t, err, d.Path()+" has sectors of 4096 bytes, the image has sectors of 512")
		_, _, err = mkimage(t, "build", "-q", "-o", d.Path(), "--device", writeSpec(t, "partitions: [{size: 1MiB}]\n"))
		require.NoError(t, err)
	})
	t.Run("too small", func(t *testing.T) {
		d := device(t, 16*image.MiB, 512)
		before := readAll(t, d.Path())
		_, _, err := mkimage(t, "build", "-q", "-o", d.Path(), "--device", example)
		require.ErrorContains(t, err, "too few")
		_, _, err = mkimage(t, "build", "-q", "-o", d.Path(), "--device", writeSpec(t, "size: 17MiB\npartitions: []\n"))
		require.EqualError(t, err, d.Path()+" has 16777216 bytes, the image has 17825792: 1048576 too few")
		require.True(t, bytes.Equal(before, readAll(t, d.Path())), "nothing has been written")
	})
	t.Run("without being asked twice", func(t *testing.T) {
		d := device(t, 16*image.MiB, 512)
		before := readAll(t, d.Path())
		_, _, err := mkimage(t, "build", "-q", "-o", d.Path(), example)
		require.ErrorContains(t, err, d.Path()+" is a device: to overwrite it and lose all that is on it, give --device as well")
		require.Equal(t, 2, exitStatus(err))
		require.True(t, bytes.Equal(before, readAll(t, d.Path())))
	})
	t.Run("that is mounted", func(t *testing.T) {
		d := device(t, 16*image.MiB, 512)
		m := d.Mount(2)
		defer m.Close()
		_, _, err := mkimage(t, "build", "-q", "-o", d.Path(), "--device", example)
		require.EqualError(t, err, d.Path()+" is in use: it, or a partition of it, is mounted or held by another program")
	})
	t.Run("that is none", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "file")
		_, _, err := mkimage(t, "build", "-q", "-o", name, "--device", example)
		require.ErrorIs(t, err, os.ErrNotExist)
		require.NoFileExists(t, name)
		_, _, err = mkimage(t, "build", "-q", "-o", "/dev/null", "--device", example)
		require.ErrorContains(t, err, "want a block device")
	})
}

// TestBuildDeviceIsCancelled wants a device on which a build has not ended to have
// no partition table, old or new.
func TestBuildDeviceIsCancelled(t *testing.T) {
	d := device(t, 100*image.MiB, 512)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	w := &onEvent{event: "progress", do: func() { cancel(stop) }}
	err := run(ctx, []string{"build", "--json", writeNoise(t, 32<<20), "-o", d.Path(), "--device"}, nil, w, w)
	require.ErrorIs(t, err, stop)
	_, _, err = mkimage(t, "inspect", d.Path())
	require.ErrorIs(t, err, image.ErrNoTable)
	got := readAll(t, d.Path())
	require.True(t, bytes.Equal(make([]byte, image.MiB), got[:image.MiB]))
	require.True(t, bytes.Equal(make([]byte, image.MiB), got[99*image.MiB:]))
	require.False(t, strings.Contains(string(got), "EFI PART"))
}

// TestBuildDeviceWithHashTree writes what comes before the data, the hash tree and
// the table, when the data has been written.
func TestBuildDeviceWithHashTree(t *testing.T) {
	fixture.RequireLoop(t)
	spec := writeSpec(t, "size: 40MiB\npartitions:\n- {name: tree, content: {format: verity, of: root}}\n- {name: root, size: 8MiB, content: {format: raw, file: root}}\n")
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(spec), "root"), bytes.Repeat([]byte("root"), 1<<20), 0o644))
	file := filepath.Join(t.TempDir(), "disk.img")
	_, _, err := mkimage(t, "build", "-q", "-o", file, spec)
	require.NoError(t, err)
	d := device(t, 40*image.MiB, 512)
	_, errs, err := mkimage(t, "build", "-o", d.Path(), "--device", spec)
	require.NoError(t, err, errs)
	require.True(t, bytes.Equal(readAll(t, file), readAll(t, d.Path())))
	_, _, err = mkimage(t, "verify", d.Path(), spec)
	require.NoError(t, err)
}

package loop_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/loop"
)

func TestRefresh(t *testing.T) {
	fixture.RequireLoop(t)
	for _, tc := range []struct {
		name string
		opts loop.Options
		to   int64 // of the file
		want int64 // of the device
	}{
		{"grown", loop.Options{}, 12 * mib, 12 * mib},
		{"shrunk", loop.Options{}, 4 * mib, 4 * mib},
		{"behind an offset", loop.Options{Offset: mib}, 12 * mib, 11 * mib},
		{"up to its limit", loop.Options{Size: 2 * mib}, 12 * mib, 2 * mib},
		{"below its limit", loop.Options{Size: 2 * mib}, mib, mib},
		{"within a block", loop.Options{}, 12*mib + 100, 12 * mib},
		{"to nothing", loop.Options{Offset: mib}, mib, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := memfd(t, 8*mib)
			d := attach(t, f, tc.opts)
			require.NoError(t, f.Truncate(tc.to))
			require.NoError(t, d.Refresh())
			require.Equal(t, tc.want, d.Size())
			blockdev := fixture.RequireTool(t, "blockdev")
			require.Equal(t, itoa(int(tc.want))+"\n", run(t, "", blockdev, "--getsize64", d.Path()))
		})
	}
	t.Run("to no whole block", func(t *testing.T) {
		f := memfd(t, 8*mib)
		d := attach(t, f, loop.Options{BlockSize: 4096})
		require.NoError(t, f.Truncate(12*mib+512))
		var option *loop.OptionError
		require.ErrorAs(t, d.Refresh(), &option)
		require.Equal(t, loop.OptionError{Field: "backing", Value: "12583424 bytes long after Offset 0",
			Want: "a multiple of the block size 4096, such as 12582912"}, *option)
		require.NoError(t, f.Truncate(12*mib))
		require.NoError(t, d.Refresh())
		require.Equal(t, int64(12*mib), d.Size())
	})
}

// A file that shrinks under its device is no trouble of the kernel's: what is no
// longer there cannot be read, and comes back with the next write.
func TestBackingShrinks(t *testing.T) {
	fixture.RequireLoop(t)
	f := memfd(t, 8*mib)
	d := attach(t, f, loop.Options{})
	p, err := d.AddPartition(t.Context(), 1, 4*mib, 2*mib)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(mib))
	requireNothing(t, d.File(), 2*mib)

	require.NoError(t, d.Refresh())
	part, err := p.Open(os.O_RDWR)
	require.NoError(t, err)
	defer part.Close()
	requireNothing(t, part, 0) // the partition is still where it was
	_, err = part.WriteAt(bytes.Repeat([]byte("x"), 4096), 0)
	require.NoError(t, err)
	require.NoError(t, part.Sync())
	info, err := f.Stat()
	require.NoError(t, err)
	require.Equal(t, int64(4*mib+4096), info.Size(), "a write grows the file")
}

// requireNothing reads where a device's file has no bytes. Linux 6.1 gives zeros:
// drivers/block/loop.c, lo_read_simple.
func requireNothing(t *testing.T, r io.ReaderAt, off int64) {
	t.Helper()
	b := bytes.Repeat([]byte{1}, 4096)
	if _, err := r.ReadAt(b, off); err != nil {
		require.ErrorIs(t, err, unix.EIO)
		return
	}
	require.Equal(t, make([]byte, 4096), b)
}

// A disk grows, and with it, by somebody else's tools, its last partition, while it
// is mounted.
func TestGrownDisk(t *testing.T) {
	fixture.RequireLoop(t)
	fixture.RequireFS(t, "ext4")
	sfdisk := fixture.RequireTool(t, "sfdisk")
	mkfs, resize := fixture.RequireTool(t, "mkfs.ext4"), fixture.RequireTool(t, "resize2fs")
	f := memfd(t, 32*mib)
	d := attach(t, f, loop.Options{})
	run(t, "label: gpt\n,4M\n,16M\n", sfdisk, "--no-reread", "--no-tell-kernel", d.Path())
	parts, err := d.UpdatePartitions(t.Context())
	require.NoError(t, err)
	require.Equal(t, []extent{{1, mib, 4 * mib}, {2, 5 * mib, 16 * mib}}, extents(parts))
	run(t, "", mkfs, "-q", parts[1].Path())
	dir := t.TempDir()
	mount := func() { require.NoError(t, unix.Mount(parts[1].Path(), dir, "ext4", 0, "")) }
	mount()
	defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()

	require.NoError(t, f.Truncate(96*mib))
	require.NoError(t, d.Refresh())
	run(t, ",+\n", sfdisk, "--no-reread", "--no-tell-kernel", "--force", "-N", "2", d.Path())
	parts, err = d.UpdatePartitions(t.Context())
	require.NoError(t, err)
	require.Equal(t, sfdiskExtents(t, d), extents(parts))
	require.Greater(t, parts[1].Size, int64(88*mib))
	// Growing a mounted ext4 takes CAP_SYS_RESOURCE, which not every root has.
	require.NoError(t, unix.Unmount(dir, 0))
	run(t, "", resize, "-f", parts[1].Path())
	mount()
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(dir, &st))
	require.Greater(t, int64(st.Blocks)*int64(st.Bsize), int64(70*mib))
}

func TestSetBlockSize(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, 8*mib+512), loop.Options{Size: 8 * mib})
	for _, size := range []int{4096, 512, 2048} {
		require.NoError(t, d.SetBlockSize(size))
		require.Equal(t, size, d.BlockSize())
		require.Equal(t, itoa(size)+"\n", run(t, "", fixture.RequireTool(t, "blockdev"), "--getss", d.Path()))
	}
	require.NoError(t, d.SetBlockSize(512))
	_, err := d.AddPartition(t.Context(), 1, 2048, 3*512)
	require.NoError(t, err)
	for _, tc := range []struct {
		size int
		want string
	}{
		{0, "BlockSize is 0: want a power of two from 512 to 65536"},
		{520, "BlockSize is 520: want a power of two from 512 to 65536, or 0 for 512"},
		{4096, "BlockSize is 4096: want one of which the start of " + d.Name() + "p1, 2048, is a multiple"},
		{1024, "BlockSize is 1024: want one of which the size of " + d.Name() + "p1, 1536, is a multiple"},
	} {
		err := d.SetBlockSize(tc.size)
		require.ErrorContains(t, err, tc.want)
		require.ErrorIs(t, err, fs.ErrInvalid)
		require.Equal(t, 512, d.BlockSize())
	}
	odd := attach(t, memfd(t, mib+512), loop.Options{})
	require.ErrorContains(t, odd.SetBlockSize(1024), "BlockSize is 1024: want one of which the size of the device, 1049088, is a multiple")
}

func TestSetDirectIO(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, diskFile(t, mib), loop.Options{})
	for _, tc := range []struct {
		dio  loop.DirectIO
		want bool
	}{{loop.DirectIORequire, true}, {loop.DirectIOOff, false}, {loop.DirectIOTry, true}} {
		require.NoError(t, d.SetDirectIO(tc.dio))
		require.Equal(t, tc.want, d.DirectIO())
		require.Equal(t, tc.want, losetup(t, d.Path())["dio"])
	}
	require.ErrorIs(t, d.SetDirectIO(7), fs.ErrInvalid)

	memory := attach(t, memfd(t, mib), loop.Options{})
	require.NoError(t, memory.SetDirectIO(loop.DirectIOTry))
	require.False(t, memory.DirectIO())
	require.ErrorIs(t, memory.SetDirectIO(loop.DirectIORequire), loop.ErrDirectIO)
}

// filled returns a file of one byte over and over.
func filled(t *testing.T, b byte, size int) *os.File {
	t.Helper()
	f := namedFile(t, string(b), int64(size))
	_, err := f.WriteAt(bytes.Repeat([]byte{b}, size), 0)
	require.NoError(t, err)
	return f
}

func TestChangeBacking(t *testing.T) {
	fixture.RequireLoop(t)
	first, second := filled(t, 'a', 4*mib), filled(t, 'b', 4*mib)
	d := attach(t, first, loop.Options{ReadOnly: true, Offset: mib})
	before, err := d.AddPartition(t.Context(), 5, mib, mib)
	require.NoError(t, err)
	_, err = d.File().ReadAt(make([]byte, 4096), 0) // into the page cache
	require.NoError(t, err)
	seq := d.DiskSeq()

	require.NoError(t, d.ChangeBacking(t.Context(), second))
	require.Equal(t, second.Name(), losetup(t, d.Path())["back-file"])
	got := make([]byte, 4096)
	_, err = d.File().ReadAt(got, 0)
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat([]byte("b"), 4096), got)
	require.Equal(t, sysfs(t, d.Name(), "diskseq"), itoa(int(d.DiskSeq())))
	require.Greater(t, d.DiskSeq(), seq)
	parts, err := d.Partitions(t.Context())
	require.NoError(t, err)
	require.Equal(t, extents([]loop.Partition{before}), extents(parts))
	checkReadOnly(t, parts[0], 'b')

	// The first file is free again.
	attach(t, first, loop.Options{})
}

// checkReadOnly reads the first byte of a partition of a read-only device.
func checkReadOnly(t *testing.T, p loop.Partition, want byte) {
	t.Helper()
	f, err := p.Open(os.O_RDONLY)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, 0)
	require.NoError(t, err)
	require.Equal(t, want, b[0])
}

func TestChangeBackingRefuses(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, filled(t, 'a', 4*mib), loop.Options{ReadOnly: true})
	writable := attach(t, memfd(t, 4*mib), loop.Options{})
	limited := attach(t, memfd(t, 4*mib), loop.Options{ReadOnly: true, Size: mib})
	shared := memfd(t, 4*mib)
	attach(t, shared, loop.Options{})
	closed := memfd(t, 4*mib)
	require.NoError(t, closed.Close())
	for _, tc := range []struct {
		name   string
		device *loop.Device
		file   *os.File
		is     error
		want   string
	}{
		{"no file", d, nil, fs.ErrInvalid, "backing is <nil>: want an open file"},
		{"larger", d, memfd(t, 5*mib), fs.ErrInvalid, "backing is 5242880 bytes long: want a file that shows the 4194304 bytes"},
		{"smaller", d, memfd(t, 3*mib), fs.ErrInvalid, "backing is 3145728 bytes long: want a file that shows the 4194304 bytes"},
		{"empty", d, memfd(t, 0), fs.ErrInvalid, "backing is empty"},
		{"below the limit", limited, memfd(t, mib/2), fs.ErrInvalid, "backing is 524288 bytes long: want a file that shows the 1048576 bytes"},
		{"writable device", writable, memfd(t, 4*mib), fs.ErrInvalid, "the device is writable: want one attached with ReadOnly"},
		{"attached already", d, shared, loop.ErrShared, "file is attached already"},
		{"closed", d, closed, fs.ErrClosed, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := openFiles(t)
			err := tc.device.ChangeBacking(t.Context(), tc.file)
			require.ErrorIs(t, err, tc.is)
			require.ErrorContains(t, err, tc.want)
			require.Equal(t, before, openFiles(t))
		})
	}
	require.NoError(t, limited.ChangeBacking(t.Context(), memfd(t, 8*mib)), "larger, beyond the limit")
}

// The kernel takes a change of file for a change of medium; a partition that is
// mounted does not notice.
func TestChangeBackingUnderMount(t *testing.T) {
	fixture.RequireLoop(t)
	fixture.RequireFS(t, "ext4")
	f := namedFile(t, "disk", 32*mib)
	d := attach(t, f, loop.Options{})
	run(t, "label: gpt\n,16M\n", fixture.RequireTool(t, "sfdisk"), "--no-reread", "--no-tell-kernel", d.Path())
	parts, err := d.Partitions(t.Context())
	require.NoError(t, err)
	run(t, "", fixture.RequireTool(t, "mkfs.ext4"), "-q", parts[0].Path())
	require.NoError(t, d.Detach())
	content, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	moved := f.Name() + ".moved"
	require.NoError(t, os.WriteFile(moved, content, 0o600))

	d = attach(t, f, loop.Options{ReadOnly: true})
	parts, err = d.Partitions(t.Context())
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, unix.Mount(parts[0].Path(), dir, "ext4", unix.MS_RDONLY, ""))
	defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()
	g, err := os.Open(moved)
	require.NoError(t, err)
	defer g.Close()
	require.NoError(t, d.ChangeBacking(t.Context(), g))
	require.NoError(t, f.Truncate(0), "the old file is of no account")
	_, err = os.ReadDir(dir + "/lost+found")
	require.NoError(t, err)
	after, err := d.Partitions(t.Context())
	require.NoError(t, err)
	require.Equal(t, parts, after, "in use: not read anew")
}

func TestChangesOfClosedDevice(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, mib), loop.Options{})
	file := memfd(t, mib)
	require.NoError(t, d.Close())
	for name, call := range map[string]func() error{
		"Refresh":          d.Refresh,
		"SetBlockSize":     func() error { return d.SetBlockSize(512) },
		"SetDirectIO":      func() error { return d.SetDirectIO(loop.DirectIOOff) },
		"ChangeBacking":    func() error { return d.ChangeBacking(t.Context(), file) },
		"UpdatePartitions": func() error { _, err := d.UpdatePartitions(t.Context()); return err },
		"Holders":          func() error { _, err := d.Holders(); return err },
	} {
		require.ErrorIs(t, call(), fs.ErrClosed, name)
	}
}

func TestChangesOfUnboundDevice(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, mib), loop.Options{})
	await(t, d.Name()+" is unbound", func() bool {
		_ = unix.IoctlSetInt(int(d.File().Fd()), unix.LOOP_CLR_FD, 0) // in vain while a udevd has it open
		return errors.Is(d.Refresh(), loop.ErrNotBound)
	})
	require.ErrorIs(t, d.SetBlockSize(4096), loop.ErrNotBound)
}

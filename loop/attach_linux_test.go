package loop_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/loop"
)

// seen is what a Device says of itself.
type seen struct {
	Size, Offset                   int64
	BlockSize                      int
	ReadOnly, DirectIO, Persistent bool
	Tag                            string
}

func look(d *loop.Device) seen {
	return seen{d.Size(), d.Offset(), d.BlockSize(), d.ReadOnly(), d.DirectIO(), d.Persistent(), d.Tag()}
}

func TestAttachIsWhatLosetupSees(t *testing.T) {
	fixture.RequireLoop(t)
	type judged struct {
		Offset, SizeLimit, BlockSize float64
		ReadOnly, DirectIO           bool
	}
	for _, tc := range []struct {
		name string
		opts loop.Options
		want seen
		says judged
	}{
		{"zero options", loop.Options{}, seen{Size: 8 * mib, BlockSize: 512}, judged{BlockSize: 512}},
		{"read-only", loop.Options{ReadOnly: true},
			seen{Size: 8 * mib, BlockSize: 512, ReadOnly: true}, judged{BlockSize: 512, ReadOnly: true}},
		{"part of the file", loop.Options{Offset: 1536, Size: 3 * 512},
			seen{Size: 1536, Offset: 1536, BlockSize: 512}, judged{Offset: 1536, SizeLimit: 1536, BlockSize: 512}},
		{"from an offset", loop.Options{Offset: mib, BlockSize: 4096},
			seen{Size: 7 * mib, Offset: mib, BlockSize: 4096}, judged{Offset: mib, BlockSize: 4096}},
		{"blocks of 1024", loop.Options{BlockSize: 1024}, seen{Size: 8 * mib, BlockSize: 1024}, judged{BlockSize: 1024}},
		{"direct I/O", loop.Options{DirectIO: loop.DirectIORequire},
			seen{Size: 8 * mib, BlockSize: 512, DirectIO: true}, judged{BlockSize: 512, DirectIO: true}},
		{"tag", loop.Options{Tag: "a tag"}, seen{Size: 8 * mib, BlockSize: 512, Tag: "a tag"}, judged{BlockSize: 512}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := namedFile(t, "disk", 8*mib)
			if tc.want.Tag == "" {
				tc.want.Tag = f.Name()[:min(len(f.Name()), 63)]
			}
			d := attach(t, f, tc.opts)
			require.Equal(t, tc.want, look(d))
			require.Equal(t, map[string]any{
				"name": "/dev/" + d.Name(), "back-file": f.Name(), "maj:min": d.Number().String(),
				"autoclear": true, "partscan": true,
				"offset": tc.says.Offset, "sizelimit": tc.says.SizeLimit, "log-sec": tc.says.BlockSize,
				"ro": tc.says.ReadOnly, "dio": tc.says.DirectIO,
			}, losetup(t, d.Path()))
			require.Equal(t, sysfs(t, d.Name(), "dev"), d.Number().String())
			require.Equal(t, "/dev/"+d.Name(), d.Path())
			require.Equal(t, sysfs(t, d.Name(), "diskseq"), itoa(int(d.DiskSeq())))
		})
	}
}

func TestDataReachesTheFile(t *testing.T) {
	fixture.RequireLoop(t)
	f := memfd(t, mib)
	d := attach(t, f, loop.Options{Offset: 4096, Size: 8192})
	_, err := d.File().WriteAt([]byte("through the device"), 4096)
	require.NoError(t, err)
	require.NoError(t, d.File().Sync())
	got := make([]byte, 18)
	_, err = f.ReadAt(got, 8192)
	require.NoError(t, err)
	require.Equal(t, "through the device", string(got))
	// The second end: no write goes past the size.
	_, err = d.File().WriteAt([]byte{1}, 8192)
	require.ErrorIs(t, err, unix.ENOSPC)
}

func TestBackingMayBeClosed(t *testing.T) {
	fixture.RequireLoop(t)
	f := memfd(t, mib)
	d := attach(t, f, loop.Options{})
	require.NoError(t, f.Close())
	_, err := d.File().WriteAt([]byte("x"), mib-1)
	require.NoError(t, err)
}

func TestBlockDeviceAsBacking(t *testing.T) {
	fixture.RequireLoop(t)
	below := attach(t, memfd(t, mib), loop.Options{BlockSize: 4096})
	f, err := below.Open(os.O_RDWR)
	require.NoError(t, err)
	defer f.Close()
	d := attach(t, f, loop.Options{Offset: 4096})
	require.Equal(t, int64(mib-4096), d.Size())
	_, err = loop.Attach(t.Context(), f, loop.Options{DirectIO: loop.DirectIORequire, AllowShared: true})
	require.ErrorIs(t, err, loop.ErrDirectIO, "blocks of 512 on a device with blocks of 4096")
}

func TestShared(t *testing.T) {
	fixture.RequireLoop(t)
	named := namedFile(t, "disk", mib)
	linkName := named.Name() + ".link"
	require.NoError(t, os.Link(named.Name(), linkName))
	reopen := func(t *testing.T, path string) *os.File {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	for _, tc := range []struct {
		name  string
		files func(t *testing.T) (first, second *os.File)
	}{
		{"one memfd", func(t *testing.T) (_, _ *os.File) { f := memfd(t, mib); return f, f }},
		{"one file without a name", func(t *testing.T) (_, _ *os.File) { f := diskFile(t, mib); return f, f }},
		{"one file opened twice", func(t *testing.T) (_, _ *os.File) { return named, reopen(t, named.Name()) }},
		{"hard links", func(t *testing.T) (_, _ *os.File) { return named, reopen(t, linkName) }},
		{"a memfd opened anew", func(t *testing.T) (_, _ *os.File) {
			f := memfd(t, mib)
			return f, reopen(t, "/proc/self/fd/"+itoa(int(f.Fd())))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			first, second := tc.files(t)
			d := attach(t, first, loop.Options{Size: 4096})
			_, err := loop.Attach(t.Context(), second, loop.Options{Offset: 8192})
			require.ErrorIs(t, err, loop.ErrShared)
			require.ErrorContains(t, err, d.Name())

			other := attach(t, second, loop.Options{Offset: 8192, AllowShared: true})
			found, err := loop.Find(second)
			require.NoError(t, err)
			require.ElementsMatch(t, []string{d.Name(), other.Name()}, names(found))

			require.NoError(t, d.Close())
			require.NoError(t, other.Close())
			attach(t, second, loop.Options{})
		})
	}
	t.Run("memfds of one name are not one file", func(t *testing.T) {
		attach(t, memfd(t, mib), loop.Options{})
		attach(t, memfd(t, mib), loop.Options{})
	})
	t.Run("attached by losetup", func(t *testing.T) {
		f := namedFile(t, "disk", mib)
		name := strings.TrimSpace(run(t, "", fixture.RequireTool(t, "losetup"), "-f", "--show", f.Name()))
		defer run(t, "", "losetup", "-d", name)
		_, err := loop.Attach(t.Context(), f, loop.Options{})
		require.ErrorIs(t, err, loop.ErrShared)
		require.ErrorContains(t, err, filepath.Base(name))
	})
}

func TestDirectIO(t *testing.T) {
	fixture.RequireLoop(t)
	for _, tc := range []struct {
		name string
		file func(testing.TB, int64) *os.File
		wish loop.DirectIO
		want bool
		err  error
	}{
		{"file, off", diskFile, loop.DirectIOOff, false, nil},
		{"file, try", diskFile, loop.DirectIOTry, true, nil},
		{"file, require", diskFile, loop.DirectIORequire, true, nil},
		{"memfd, try", memfd, loop.DirectIOTry, false, nil},
		{"memfd, require", memfd, loop.DirectIORequire, false, loop.ErrDirectIO},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := tc.file(t, mib)
			// Persist: a device that is refused must be unbound, not just closed.
			d, err := loop.Attach(t.Context(), f, loop.Options{DirectIO: tc.wish, Persist: tc.err != nil})
			if tc.err != nil {
				require.ErrorIs(t, err, tc.err)
				attach(t, f, loop.Options{})
				return
			}
			require.NoError(t, err)
			defer d.Close()
			require.Equal(t, tc.want, d.DirectIO())
		})
	}
}

// The kernel takes all of these: it rounds, degrades or fails at the first write.
func TestAttachRefuses(t *testing.T) {
	fixture.RequireLoop(t)
	file := namedFile(t, "disk", mib)
	opened := func(path string, flags int) *os.File {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		f := os.NewFile(uintptr(fd), path)
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	sealed := memfd(t, mib)
	_, err := unix.FcntlInt(sealed.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE)
	require.NoError(t, err)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer read.Close()
	defer write.Close()

	for _, tc := range []struct {
		name  string
		file  *os.File
		opts  loop.Options
		field string
	}{
		{"a directory", opened(t.TempDir(), unix.O_RDONLY), loop.Options{ReadOnly: true}, "backing"},
		{"a character device", opened("/dev/null", unix.O_RDWR), loop.Options{}, "backing"},
		{"a pipe", read, loop.Options{ReadOnly: true}, "backing"},
		{"no file", nil, loop.Options{}, "backing"},
		{"an empty file", memfd(t, 0), loop.Options{}, "backing"},
		{"open for reading only", opened(file.Name(), unix.O_RDONLY), loop.Options{}, "backing"},
		{"open for writing only", opened(file.Name(), unix.O_WRONLY), loop.Options{}, "backing"},
		{"open for appending", opened(file.Name(), unix.O_RDWR|unix.O_APPEND), loop.Options{}, "backing"},
		{"open as a path", opened(file.Name(), unix.O_PATH), loop.Options{}, "backing"},
		{"sealed", sealed, loop.Options{}, "backing"},
		{"half a block at the end", memfd(t, mib+256), loop.Options{}, "backing"},
		{"offset at the end", file, loop.Options{Offset: mib}, "Offset"},
		{"block size of 520", file, loop.Options{BlockSize: 520}, "BlockSize"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := openFiles(t)
			d, err := loop.Attach(t.Context(), tc.file, tc.opts)
			require.Nil(t, d)
			var option *loop.OptionError
			require.ErrorAs(t, err, &option)
			require.Equal(t, tc.field, option.Field)
			require.ErrorIs(t, err, fs.ErrInvalid)
			require.Equal(t, before, openFiles(t))
		})
	}
	t.Run("but takes a read-only file as read-only", func(t *testing.T) {
		d := attach(t, opened(file.Name(), unix.O_RDONLY), loop.Options{ReadOnly: true})
		require.True(t, d.ReadOnly())
		_, err := d.File().WriteAt(make([]byte, 512), 0)
		require.Error(t, err)
	})
}

func TestLargeBlocks(t *testing.T) {
	fixture.RequireLoop(t)
	for _, bs := range []int{8192, 16384, 32768, 65536} {
		d, err := loop.Attach(t.Context(), memfd(t, mib), loop.Options{BlockSize: bs})
		if err == nil {
			require.Equal(t, bs, d.BlockSize())
			require.NoError(t, d.Close())
			continue
		}
		var option *loop.OptionError
		require.ErrorAs(t, err, &option)
		require.Equal(t, "BlockSize", option.Field)
	}
}

func TestErrorsLeaveNoDescriptor(t *testing.T) {
	fixture.RequireLoop(t)
	shared := memfd(t, mib)
	attach(t, shared, loop.Options{})
	closed := memfd(t, mib)
	require.NoError(t, closed.Close())
	cancelled, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("a reason")
	cancel(reason)

	memory, unbound := memfd(t, mib), addDevice(t)
	for _, tc := range []struct {
		name string
		call func() error
		want error
	}{
		{"shared", func() error { return attachError(t.Context(), shared, loop.Options{}) }, loop.ErrShared},
		{"direct I/O", func() error {
			return attachError(t.Context(), memory, loop.Options{DirectIO: loop.DirectIORequire})
		}, loop.ErrDirectIO},
		{"closed file", func() error { return attachError(t.Context(), closed, loop.Options{}) }, fs.ErrClosed},
		{"context over", func() error { return attachError(cancelled, shared, loop.Options{}) }, reason},
		{"open unbound", func() error { _, err := loop.Open(unbound); return err }, loop.ErrNotBound},
		{"open another device", func() error { _, err := loop.Open("/dev/null"); return err }, loop.ErrNotLoop},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := openFiles(t)
			require.ErrorIs(t, tc.call(), tc.want)
			require.Equal(t, before, openFiles(t))
		})
	}
}

func attachError(ctx context.Context, f *os.File, opts loop.Options) error {
	d, err := loop.Attach(ctx, f, opts)
	if err == nil {
		_ = d.Close()
	}
	return err
}

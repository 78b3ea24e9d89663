package loop

import (
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/loop/internal/sys"
)

// good is a file of 8 KiB that can be attached.
func good() *backing {
	return &backing{
		fd: 5, name: "/images/disk", size: 8192,
		stat:   sys.Stat{Type: sys.RegularFile, Size: 8192},
		access: sys.Access{Read: true, Write: true},
	}
}

func TestConfig(t *testing.T) {
	const always = sys.FlagPartscan | sys.FlagAutoclear
	for _, tc := range []struct {
		name string
		opts Options
		want sys.Config
	}{
		{"zero", Options{}, sys.Config{BackingFD: 5, BlockSize: 512, Flags: always, Name: "/images/disk"}},
		{"everything", Options{ReadOnly: true, Offset: 4096, Size: 4096, BlockSize: 2048, DirectIO: DirectIOTry, Tag: "tag", Persist: true},
			sys.Config{BackingFD: 5, BlockSize: 2048, Offset: 4096, SizeLimit: 4096, Name: "tag",
				Flags: sys.FlagPartscan | sys.FlagReadOnly | sys.FlagDirectIO}},
		{"longest tag", Options{Tag: strings.Repeat("x", 63)},
			sys.Config{BackingFD: 5, BlockSize: 512, Flags: always, Name: strings.Repeat("x", 63)}},
		{"last block", Options{Offset: 7680}, sys.Config{BackingFD: 5, BlockSize: 512, Offset: 7680, Flags: always, Name: "/images/disk"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.opts.config(good())
			require.NoError(t, err)
			require.Equal(t, tc.want, *got)
		})
	}
}

func TestConfigCutsLongNames(t *testing.T) {
	b := good()
	b.name = strings.Repeat("long", 100)
	got, err := new(Options).config(b)
	require.NoError(t, err)
	require.Equal(t, b.name[:63], got.Name)
}

func TestConfigRefuses(t *testing.T) {
	for _, tc := range []struct {
		opts Options
		want string
	}{
		{Options{BlockSize: -512}, "BlockSize is -512: want a power of two from 512 to 65536, or 0 for 512"},
		{Options{BlockSize: 1}, "BlockSize is 1: want a power of two from 512 to 65536, or 0 for 512"},
		{Options{BlockSize: 256}, "BlockSize is 256: want a power of two from 512 to 65536, or 0 for 512"},
		{Options{BlockSize: 513}, "BlockSize is 513: want a power of two from 512 to 65536, or 0 for 512"},
		{Options{BlockSize: 1536}, "BlockSize is 1536: want a power of two from 512 to 65536, or 0 for 512"},
		{Options{BlockSize: 1 << 17}, "BlockSize is 131072: want a power of two from 512 to 65536, or 0 for 512"},
		{Options{Offset: -512}, "Offset is -512: want no negative number"},
		{Options{Offset: 100}, "Offset is 100: want a multiple of the block size 512, such as 0"},
		{Options{Offset: 512, BlockSize: 4096}, "Offset is 512: want a multiple of the block size 4096, such as 0"},
		{Options{Offset: 8192}, "Offset is 8192: want less than the file's 8192 bytes"},
		{Options{Offset: math.MaxInt64 &^ 511}, "Offset is 9223372036854775296: want less than the file's 8192 bytes"},
		{Options{Size: -1}, "Size is -1: want no negative number"},
		{Options{Size: 1000}, "Size is 1000: want a multiple of the block size 512, such as 512"},
		{Options{Size: 100}, "Size is 100: want a multiple of the block size 512, such as 512"},
		{Options{Size: 8704}, "Size is 8704: want at most the 8192 bytes after Offset 0"},
		{Options{Size: math.MaxInt64 &^ 511, Offset: 512}, "Size is 9223372036854775296: want at most the 7680 bytes after Offset 512"},
		{Options{BlockSize: 16384}, "backing is 8192 bytes long after Offset 0: want at least one block of 16384 bytes"},
		{Options{DirectIO: -1}, "DirectIO is DirectIO(-1): want DirectIOOff, DirectIOTry or DirectIORequire"},
		{Options{DirectIO: 3}, "DirectIO is DirectIO(3): want DirectIOOff, DirectIOTry or DirectIORequire"},
		{Options{Tag: strings.Repeat("x", 64)}, `Tag is "` + strings.Repeat("x", 64) + `" (64 bytes): want at most 63 bytes`},
		{Options{Tag: "a\x00b"}, `Tag is "a\x00b": want no zero byte`},
	} {
		t.Run(tc.want, func(t *testing.T) {
			_, err := tc.opts.config(good())
			require.EqualError(t, err, tc.want)
			require.ErrorIs(t, err, fs.ErrInvalid)
		})
	}
}

func TestConfigRefusesFiles(t *testing.T) {
	for _, tc := range []struct {
		change func(*backing)
		opts   Options
		want   string
	}{
		{func(b *backing) { b.stat.Type = sys.Directory }, Options{}, "a directory: want a regular file or a block device"},
		{func(b *backing) { b.stat.Type = sys.CharDevice }, Options{}, "a character device: want a regular file or a block device"},
		{func(b *backing) { b.access.Read = false }, Options{}, "not open for reading: want a file open for reading"},
		{func(b *backing) { b.access.Append = true }, Options{}, "open with O_APPEND: want a file open without it"},
		{func(b *backing) { b.access.Write = false }, Options{}, "open for reading only: want a file open for writing, or ReadOnly set"},
		{func(b *backing) { b.access.Sealed = true }, Options{}, "a memfd sealed against writing: want no such seal, or ReadOnly set"},
		{func(b *backing) { b.size = 0 }, Options{}, "empty: want a file with at least one block"},
		{func(b *backing) { b.size = 8191 }, Options{},
			"8191 bytes long after Offset 0: want a multiple of the block size 512, such as 7680, or Size set to that"},
		{func(b *backing) { b.size = 8191 }, Options{Offset: 512, BlockSize: 512},
			"7679 bytes long after Offset 512: want a multiple of the block size 512, such as 7168, or Size set to that"},
	} {
		t.Run(tc.want, func(t *testing.T) {
			b := good()
			tc.change(b)
			_, err := tc.opts.config(b)
			require.EqualError(t, err, "backing is "+tc.want)
			require.ErrorIs(t, err, fs.ErrInvalid)
		})
	}
	t.Run("odd end, but a size", func(t *testing.T) {
		b := good()
		b.size = 8191
		_, err := (&Options{Size: 7680}).config(b)
		require.NoError(t, err)
	})
	t.Run("read-only files, read-only", func(t *testing.T) {
		b := good()
		b.access.Write, b.access.Sealed = false, true
		_, err := (&Options{ReadOnly: true}).config(b)
		require.NoError(t, err)
	})
}

func TestParsePartitions(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []int
	}{
		{"", nil},
		{"major minor  #blocks  name\n\n 254        0  268435456 vda\n", nil},
		{"major minor  #blocks  name\n\n   7        0       1024 loop0\n 259        0       1000 loop0p1\n" +
			"   7       16      65536 loop12\n   8        0  268435456 sda\n   7       31 4 loop3", []int{0, 12, 3}},
	} {
		require.Equal(t, tc.want, parsePartitions([]byte(tc.text)), "%q", tc.text)
	}
}

// What says that somebody else was faster, and what does not.
func TestIsRace(t *testing.T) {
	for errno, want := range map[error]bool{
		sys.EBUSY: true, sys.ENXIO: true, sys.ENODEV: true, sys.ENOENT: true,
		sys.EINVAL: false, sys.EACCES: false, ErrShared: false, nil: false,
	} {
		require.Equal(t, want, isRace(errno), "%v", errno)
		require.Equal(t, want, isRace(fmt.Errorf("open: %w", errno)), "%v", errno)
	}
}

func TestStrings(t *testing.T) {
	require.Equal(t, "7:3", DeviceNumber{7, 3}.String())
	n, err := parseDeviceNumber("259:1048575")
	require.NoError(t, err)
	require.Equal(t, DeviceNumber{259, 1048575}, n)
	_, err = parseDeviceNumber("loop3")
	require.ErrorContains(t, err, "want major:minor")
	require.Equal(t, []string{"off", "try", "require", "DirectIO(7)"},
		[]string{DirectIOOff.String(), DirectIOTry.String(), DirectIORequire.String(), DirectIO(7).String()})
}

func TestLoopNumber(t *testing.T) {
	for name, want := range map[string]int{"loop0": 0, "loop1023": 1023} {
		n, ok := loopNumber(name)
		require.True(t, ok)
		require.Equal(t, want, n)
	}
	for _, name := range []string{"", "loop", "loop03", "loop-1", "loop+1", "loop1p1", "loop1048576", "sda", "xloop1"} {
		_, ok := loopNumber(name)
		require.False(t, ok, name)
	}
}

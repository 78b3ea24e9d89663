package output_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/output"
)

// TestZstd has zstd itself unpack a disk, and finds frames by the seek table.
func TestZstd(t *testing.T) {
	for _, size := range []int{512, output.ZstdFrameSize, 9*output.ZstdFrameSize + 12*512} {
		disk := makeDisk(size)
		f := create(t, "disk.zst")
		z, err := output.NewZstd(f, int64(size), output.ZstdOptions{})
		require.NoError(t, err)
		write(t, z, disk)
		require.Equal(t, string(disk), run(t, "zstd", "-dcq", f.Name()))

		file := readAll(t, f.Name())
		le := binary.LittleEndian
		footer := file[len(file)-9:]
		require.Equal(t, uint32(0x8f92eab1), le.Uint32(footer[5:]))
		require.Equal(t, byte(0x80), footer[4], "with checksums")
		frames := int(le.Uint32(footer))
		require.Equal(t, (size+output.ZstdFrameSize-1)/output.ZstdFrameSize, frames)
		table := file[len(file)-9-12*frames:]
		skippable := file[len(file)-9-12*frames-8:]
		require.Equal(t, uint32(0x184d2a5e), le.Uint32(skippable))
		require.Equal(t, uint32(len(skippable)-8), le.Uint32(skippable[4:]))

		d, err := zstd.NewReader(nil)
		require.NoError(t, err)
		defer d.Close()
		at, from := 0, 0
		for i := range frames {
			packed, length := int(le.Uint32(table[12*i:])), int(le.Uint32(table[12*i+4:]))
			frame := file[at:][:packed]
			require.Equal(t, table[12*i+8:][:4], frame[packed-4:])
			got, err := d.DecodeAll(frame, nil)
			require.NoError(t, err)
			require.True(t, bytes.Equal(disk[from:][:length], got), "frame %d", i)
			at, from = at+packed, from+length
		}
		require.Equal(t, len(file)-len(skippable), at)
		require.Equal(t, size, from)
	}
}

// TestZstdIsReproducible wants the same bytes on any number of CPUs.
func TestZstdIsReproducible(t *testing.T) {
	disk := makeDisk(9*output.ZstdFrameSize + 12*512)
	var first []byte
	for _, workers := range []int{1, 2, 5} {
		var out bytes.Buffer
		z, err := output.NewZstd(&out, int64(len(disk)), output.ZstdOptions{Workers: workers})
		require.NoError(t, err)
		write(t, z, disk)
		if first == nil {
			first = out.Bytes()
		}
		require.True(t, bytes.Equal(first, out.Bytes()), "%d workers", workers)
	}
}

// full is a writer on a full disk.
type full struct{ left int }

var errFull = errors.New("no space left on device")

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.left)
	f.left -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

// TestFullDisk wants the writing to end soon, with the error of the disk.
func TestFullDisk(t *testing.T) {
	const size = 100 * output.ZstdFrameSize
	noise := makeDisk(output.ZstdFrameSize)
	z, err := output.NewZstd(&full{left: 1000}, size, output.ZstdOptions{Workers: 2})
	require.NoError(t, err)
	defer z.Close()
	for i := range int64(100) {
		if _, err = z.WriteAt(noise, i*output.ZstdFrameSize); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, errFull)
	require.ErrorIs(t, z.Finish(), errFull)
}

// pack returns a disk as a zstd file.
func pack(t testing.TB, disk []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := output.NewZstd(&b, int64(len(disk)), output.ZstdOptions{})
	require.NoError(t, err)
	defer z.Close()
	_, err = z.WriteAt(disk, 0)
	require.NoError(t, err)
	require.NoError(t, z.Finish())
	return b.Bytes()
}

// TestZstdReader reads a disk at all kinds of places, as the standard library has
// readers do.
func TestZstdReader(t *testing.T) {
	disk := makeDisk(3*output.ZstdFrameSize + 512)
	file := pack(t, disk)
	z, err := output.NewZstdReader(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	defer z.Close()
	require.Equal(t, int64(len(disk)), z.Size())
	require.NoError(t, iotest.TestReader(io.NewSectionReader(z, output.ZstdFrameSize-1000, 2000), disk[output.ZstdFrameSize-1000:][:2000]))
	got := make([]byte, len(disk)+1)
	n, err := z.ReadAt(got, 0)
	require.ErrorIs(t, err, io.EOF)
	require.True(t, bytes.Equal(disk, got[:n]))
	_, err = z.ReadAt(got[:1], z.Size())
	require.ErrorIs(t, err, io.EOF)
	_, err = z.ReadAt(got[:1], -1)
	require.EqualError(t, err, "zstd: read at offset -1: want at least 0")
}

func TestZstdReaderRefuses(t *testing.T) {
	file := pack(t, makeDisk(2*output.ZstdFrameSize))
	end := len(file)
	table := end - 9 - 2*12
	for _, tc := range []struct {
		name   string
		at     int
		change string
		want   string
	}{
		{"no table", end - 1, "x", "zstd file has no seek table"},
		{"descriptor", end - 5, "\x40", "zstd: seek table with descriptor 0x40: want 0x80 or 0"},
		{"frames", end - 9, "\xff\xff\xff", fmt.Sprintf("zstd: seek table of 16777215 frames: want what fits the file of %d bytes", end)},
		{"no frame", table - 8, "x", fmt.Sprintf("zstd: seek table at %d: want a skippable frame of 33 bytes", table-8)},
		{"large frame", table + 7, "\x10", "zstd: frame 0 of "},
		{"other lengths", table, "\x01", "zstd: seek table of frames that end at "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bad := bytes.Clone(file)
			copy(bad[tc.at:], tc.change)
			_, err := output.NewZstdReader(bytes.NewReader(bad), int64(len(bad)))
			require.ErrorContains(t, err, tc.want)
		})
	}
	bad := bytes.Clone(file)
	bad[1000]++
	z, err := output.NewZstdReader(bytes.NewReader(bad), int64(len(bad)))
	require.NoError(t, err)
	defer z.Close()
	_, err = z.ReadAt(make([]byte, 10), 0)
	require.ErrorContains(t, err, "zstd: frame 0 at 0: ")
}

func FuzzZstdReader(f *testing.F) {
	f.Add(pack(f, make([]byte, 512)))
	f.Add(pack(f, []byte("something"+strings.Repeat(" and more", 1000))))
	f.Fuzz(func(t *testing.T, file []byte) {
		z, err := output.NewZstdReader(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		defer z.Close()
		_, _ = io.Copy(io.Discard, io.NewSectionReader(z, 0, min(z.Size(), 1<<20)))
	})
}

// TestZstdHoles has zstd unpack a disk of which a frame and a little more is all
// that holds anything, from a file that is as small as the format allows: 4 bytes
// for each 128 KiB of zeros.
func TestZstdHoles(t *testing.T) {
	const size = 60*output.ZstdFrameSize + 12*512
	f := create(t, "disk.zst")
	z, err := output.NewZstd(f, size, output.ZstdOptions{})
	require.NoError(t, err)
	defer z.Close()
	_, err = z.WriteAt([]byte("something"), 20*output.ZstdFrameSize)
	require.NoError(t, err)
	require.NoError(t, z.Finish())
	require.Less(t, len(readAll(t, f.Name())), 61*160+1000)
	run(t, "zstd", "-tq", f.Name())
	name := f.Name() + ".raw"
	run(t, "zstd", "-dq", "--sparse", f.Name(), "-o", name)
	unpacked, err := os.Open(name)
	require.NoError(t, err)
	defer unpacked.Close()
	info, err := unpacked.Stat()
	require.NoError(t, err)
	require.EqualValues(t, size, info.Size())
	buf := make([]byte, output.ZstdFrameSize)
	for off := int64(0); off < size; off += output.ZstdFrameSize {
		n, err := unpacked.ReadAt(buf, off)
		if off+output.ZstdFrameSize <= size {
			require.NoError(t, err)
		}
		want := ""
		if off == 20*output.ZstdFrameSize {
			want = "something"
		}
		require.Equal(t, want, string(bytes.TrimRight(buf[:n], "\x00")), "frame at %d", off)
	}
}

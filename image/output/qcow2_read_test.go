package output_test

import (
	"bytes"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/output"
)

// openQCOW2 returns a reader of a file's bytes.
func openQCOW2(t *testing.T, file []byte) *output.QCOW2Reader {
	t.Helper()
	q, err := output.NewQCOW2Reader(bytes.NewReader(file))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, q.Close()) })
	return q
}

// TestQCOW2Reader reads what qemu-img has made, in all ways that it can.
func TestQCOW2Reader(t *testing.T) {
	disk := makeDisk(9*mib + 512)
	raw := writeRaw(t, disk)
	for _, args := range [][]string{
		nil,
		{"-o", "compat=0.10"},
		{"-c"},
		{"-c", "-o", "compat=0.10,cluster_size=4k"},
		{"-c", "-o", "compression_type=zstd"},
		{"-c", "-o", "compression_type=zstd,cluster_size=2M"},
		{"-o", "cluster_size=512"},
		{"-o", "preallocation=metadata"},
		{"-S", "0"},
	} {
		f := create(t, "disk.qcow2")
		run(t, "qemu-img", append(append([]string{"convert", "-f", "raw", "-O", "qcow2"}, args...), raw, f.Name())...)
		q := openQCOW2(t, readAll(t, f.Name()))
		require.Equal(t, int64(len(disk)), q.Size())
		got := make([]byte, len(disk)+1)
		n, err := q.ReadAt(got, 0)
		require.ErrorIs(t, err, io.EOF)
		require.True(t, bytes.Equal(disk, got[:n]), "%v", args)
		require.NoError(t, iotest.TestReader(io.NewSectionReader(q, mib-1000, 2000), disk[mib-1000:][:2000]))
		_, err = q.ReadAt(got[:1], -1)
		require.EqualError(t, err, "qcow2: read at offset -1: want at least 0")
	}
}

func TestQCOW2ReaderRefuses(t *testing.T) {
	raw := writeRaw(t, makeDisk(mib))
	f := create(t, "disk.qcow2")
	run(t, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, f.Name())
	file := readAll(t, f.Name())
	for _, tc := range []struct {
		at     int
		change string
		want   string
	}{
		{0, "x", "file is not a qcow2"},
		{7, "\x04", "qcow2: version 4: want 2 or 3"},
		{15, "\x01", "qcow2: it has a backing file: want one that stands for itself"},
		{35, "\x02", "qcow2: it is encrypted: want one that is not"},
		{79, "\x10", "qcow2: incompatible features 0x10: want none but 0x9"},
		{79, "\x08", "qcow2: compression type 0: want 0 or 1"},
		{20, "\xff", "qcow2: clusters of 2^64 bytes: want 2^9 to 2^21"},
		{24, "\x80", "qcow2: size 9223372036855824384: want 0 to "},
		{39, "\x00", "qcow2: L1 table of 0 entries at "},
		{40, "\x00\xff", "qcow2: L1 table at "},
	} {
		bad := bytes.Clone(file)
		copy(bad[tc.at:], tc.change)
		_, err := output.NewQCOW2Reader(bytes.NewReader(bad))
		require.ErrorContains(t, err, tc.want)
	}
	_, err := output.NewQCOW2Reader(bytes.NewReader(file[:10]))
	require.ErrorIs(t, err, output.ErrNotQCOW2)
}

func FuzzQCOW2Reader(f *testing.F) {
	for _, compression := range []output.Compression{output.CompressNone, output.CompressZlib, output.CompressZstd} {
		file, err := os.CreateTemp(f.TempDir(), "")
		require.NoError(f, err)
		q, err := output.NewQCOW2(file, 4096, output.QCOW2Options{Compression: compression, ClusterSize: 512})
		require.NoError(f, err)
		_, err = q.WriteAt(bytes.Repeat([]byte("disk"), 500), 512)
		require.NoError(f, err)
		require.NoError(f, q.Finish())
		require.NoError(f, q.Close())
		require.NoError(f, file.Close())
		b, err := os.ReadFile(file.Name())
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		q, err := output.NewQCOW2Reader(bytes.NewReader(file))
		if err != nil {
			return
		}
		defer q.Close()
		_, _ = io.Copy(io.Discard, io.NewSectionReader(q, 0, min(q.Size(), 1<<20)))
	})
}

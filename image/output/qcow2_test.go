package output_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/output"
)

// TestQCOW2 has files of all kinds judged by QEMU: that they are sound, that
// nothing in them is lost, and that they hold the disk.
func TestQCOW2(t *testing.T) {
	disk := makeDisk(37*mib + 512)
	raw := writeRaw(t, disk)
	small := makeDisk(mib + 512)
	rawSmall := writeRaw(t, small)
	for _, tc := range []struct {
		name string
		raw  string
		disk []byte
		o    output.QCOW2Options
	}{
		{"default", raw, disk, output.QCOW2Options{}},
		{"lazy", raw, disk, output.QCOW2Options{LazyRefcounts: true}},
		{"zlib", raw, disk, output.QCOW2Options{Compression: output.CompressZlib}},
		{"zstd", raw, disk, output.QCOW2Options{Compression: output.CompressZstd}},
		{"large clusters", raw, disk, output.QCOW2Options{ClusterSize: 2 * mib}},
		{"large clusters, zstd", raw, disk, output.QCOW2Options{ClusterSize: 2 * mib, Compression: output.CompressZstd}},
		{"large clusters, zlib", raw, disk, output.QCOW2Options{ClusterSize: 2 * mib, Compression: output.CompressZlib}},
		{"small clusters", rawSmall, small, output.QCOW2Options{ClusterSize: 512}},
		{"small clusters, zstd", rawSmall, small, output.QCOW2Options{ClusterSize: 512, Compression: output.CompressZstd}},
		{"small clusters, zlib", raw, disk, output.QCOW2Options{ClusterSize: 4096, Compression: output.CompressZlib}},
		{"one sector", "", disk[:512], output.QCOW2Options{}},
		{"no data", "", make([]byte, 5*mib), output.QCOW2Options{Compression: output.CompressZstd}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.raw == "" {
				tc.raw = writeRaw(t, tc.disk)
			}
			f := create(t, "disk.qcow2")
			q, err := output.NewQCOW2(f, int64(len(tc.disk)), tc.o)
			require.NoError(t, err)
			write(t, q, tc.disk)
			requireSound(t, f.Name())
			require.Contains(t, run(t, "qemu-img", "compare", "-f", "raw", "-F", "qcow2", tc.raw, f.Name()), "Images are identical.")
		})
	}
}

// TestQCOW2IsReproducible wants the same bytes on any number of CPUs.
func TestQCOW2IsReproducible(t *testing.T) {
	disk := makeDisk(9*mib + 12*512)
	for _, compression := range []output.Compression{output.CompressZlib, output.CompressZstd} {
		var first []byte
		for _, workers := range []int{1, 2, 5} {
			f := create(t, fmt.Sprint(workers))
			q, err := output.NewQCOW2(f, int64(len(disk)), output.QCOW2Options{Compression: compression, Workers: workers})
			require.NoError(t, err)
			write(t, q, disk)
			got := readAll(t, f.Name())
			if first == nil {
				first = got
			}
			require.Equal(t, first, got, "%v by %d workers", compression, workers)
		}
	}
}

func TestQCOW2Refuses(t *testing.T) {
	for _, tc := range []struct {
		size int64
		o    output.QCOW2Options
		want string
	}{
		{0, output.QCOW2Options{}, "qcow2: size 0: want a multiple of 512, from 512 to 2251799813685248 with clusters of 65536"},
		{513, output.QCOW2Options{}, "qcow2: size 513: want a multiple of 512, from 512 to 2251799813685248 with clusters of 65536"},
		{1 << 40, output.QCOW2Options{ClusterSize: 512}, "qcow2: size 1099511627776: want a multiple of 512, from 512 to 137438953472 with clusters of 512"},
		{mib, output.QCOW2Options{ClusterSize: 3000}, "qcow2: cluster size 3000: want a power of two from 512 to 2097152"},
		{mib, output.QCOW2Options{ClusterSize: 4 * mib}, "qcow2: cluster size 4194304: want a power of two from 512 to 2097152"},
		{mib, output.QCOW2Options{Compression: 7}, "qcow2: compression 7: want none, zlib or zstd"},
	} {
		_, err := output.NewQCOW2(create(t, "disk"), tc.size, tc.o)
		require.EqualError(t, err, tc.want)
		var option *output.OptionError
		require.ErrorAs(t, err, &option)
	}
}

// fullFile is a file on a full disk.
type fullFile struct{ full }

func (f *fullFile) WriteAt(p []byte, _ int64) (int, error) { return f.Write(p) }

func (f *fullFile) Truncate(int64) error { return nil }

// TestQCOW2OnFullDisk wants the writing to end with the error of the disk, whenever
// that is full.
func TestQCOW2OnFullDisk(t *testing.T) {
	disk := makeDisk(2 * mib)
	for _, compression := range []output.Compression{output.CompressNone, output.CompressZstd} {
		for left := 0; left < 600_000; left += 50_000 {
			q, err := output.NewQCOW2(&fullFile{full{left}}, int64(len(disk)), output.QCOW2Options{Compression: compression})
			require.NoError(t, err)
			if _, err = q.WriteAt(disk, 0); err == nil {
				err = q.Finish()
			}
			require.ErrorIs(t, err, errFull, "%d", left)
			require.NoError(t, q.Close())
		}
	}
}

// TestFinished wants nothing to be written behind the end.
func TestFinished(t *testing.T) {
	for _, compression := range []output.Compression{output.CompressNone, output.CompressZstd} {
		q, err := output.NewQCOW2(create(t, "disk"), mib, output.QCOW2Options{Compression: compression})
		require.NoError(t, err)
		require.NoError(t, q.Finish())
		_, err = q.WriteAt([]byte("late"), 0)
		require.EqualError(t, err, "output: writer is finished")
		require.EqualError(t, q.Finish(), "output: writer is finished")
		require.NoError(t, q.Close())
	}
	q, err := output.NewQCOW2(create(t, "disk"), mib, output.QCOW2Options{})
	require.NoError(t, err)
	_, err = q.WriteAt([]byte("far"), mib-1)
	require.EqualError(t, err, "qcow2: 3 bytes at offset 1048575: want them on the disk of 1048576")
}

// TestBackwards wants a write to what is complete to be an error.
func TestBackwards(t *testing.T) {
	for _, compression := range []output.Compression{output.CompressNone, output.CompressZstd} {
		q, err := output.NewQCOW2(create(t, "disk"), mib, output.QCOW2Options{Compression: compression, ClusterSize: 512})
		require.NoError(t, err)
		_, err = q.WriteAt([]byte("late"), mib/2)
		require.NoError(t, err)
		_, err = q.WriteAt([]byte("early"), 0)
		require.EqualError(t, err, "output: going back: want offsets that rise")
		require.NoError(t, q.Close())
	}
}

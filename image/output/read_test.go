package output_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/output"
)

// TestNewReader wants the disk of each format that is read, and an error of others.
func TestNewReader(t *testing.T) {
	disk := makeDisk(3 * mib)
	for _, tc := range []struct {
		name string
		open func(f output.File) (output.Writer, error)
		want error
	}{
		{"raw", func(f output.File) (output.Writer, error) { return output.NewRaw(f, 3*mib) }, nil},
		{"qcow2", func(f output.File) (output.Writer, error) {
			return output.NewQCOW2(f, 3*mib, output.QCOW2Options{Compression: output.CompressZlib})
		}, nil},
		{"vhd", func(f output.File) (output.Writer, error) { return output.NewVHD(f, 3*mib, output.VHDOptions{}) }, nil},
		{"dynamic vhd", func(f output.File) (output.Writer, error) {
			return output.NewVHD(f, 3*mib, output.VHDOptions{Dynamic: true})
		}, output.ErrFormat},
		{"vhdx", func(f output.File) (output.Writer, error) { return output.NewVHDX(f, 3*mib, output.VHDXOptions{}) }, output.ErrFormat},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := create(t, "disk")
			w, err := tc.open(f)
			require.NoError(t, err)
			write(t, w, disk)
			info, err := f.Stat()
			require.NoError(t, err)
			r, err := output.NewReader(f, info.Size())
			require.ErrorIs(t, err, tc.want)
			if err == nil {
				requireDisk(t, disk, r)
			}
		})
	}
	file := pack(t, disk)
	r, err := output.NewReader(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	requireDisk(t, disk, r)
	r, err = output.NewReader(bytes.NewReader(nil), 0)
	require.NoError(t, err)
	requireDisk(t, []byte{}, r)
}

func requireDisk(t *testing.T, disk []byte, r output.Reader) {
	t.Helper()
	got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	require.NoError(t, err)
	require.True(t, bytes.Equal(disk, got))
	require.NoError(t, r.Close())
}

package output_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/output"
)

var id = uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001")

// TestVHD has QEMU read fixed and dynamic disks.
func TestVHD(t *testing.T) {
	disk := makeDisk(37 * mib)
	for _, tc := range []struct {
		name string
		disk []byte
		o    output.VHDOptions
	}{
		{"fixed", disk, output.VHDOptions{ID: id}},
		{"dynamic", disk, output.VHDOptions{ID: id, Dynamic: true}},
		{"small", disk[:mib], output.VHDOptions{Dynamic: true}},
		{"no data", make([]byte, 5*mib), output.VHDOptions{Dynamic: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw := writeRaw(t, tc.disk)
			f := create(t, "disk.vhd")
			v, err := output.NewVHD(f, int64(len(tc.disk)), tc.o)
			require.NoError(t, err)
			write(t, v, tc.disk)
			require.Contains(t, run(t, "qemu-img", "compare", "-f", "raw", "-F", "vpc", raw, f.Name()), "Images are identical.")
		})
	}
}

// TestVHDFooter compares the footer with the one that qemu-img writes, but for the
// creator, the time and the ID. The sizes are those that a geometry has: of others,
// qemu-img makes the next one.
func TestVHDFooter(t *testing.T) {
	for _, size := range []int64{17 * mib, 217 * mib, 504 * mib, 8064 * mib, 65408 * 16 * 255 * 512} {
		f := create(t, "disk.vhd")
		v, err := output.NewVHD(f, size, output.VHDOptions{Dynamic: true})
		require.NoError(t, err)
		require.NoError(t, v.Finish())
		got := readAll(t, f.Name())
		theirs := create(t, "qemu.vhd")
		run(t, "qemu-img", "create", "-q", "-f", "vpc", "-o", "subformat=dynamic", theirs.Name(), itoa(size))
		want := readAll(t, theirs.Name())[:512]
		require.Equal(t, got[:512], got[len(got)-512:])
		for _, b := range [][]byte{got, want} {
			clear(b[24:40]) // time, creator, its version and system
			clear(b[64:84]) // checksum, which QEMU has checked in TestVHD, and ID
		}
		require.Equal(t, want, got[:512], "%d", size)
	}
}

// TestVHDIsFixed wants what Azure takes: the raw disk with a footer behind it.
func TestVHDIsFixed(t *testing.T) {
	disk := makeDisk(3 * mib)
	f := create(t, "disk.vhd")
	v, err := output.NewVHD(f, int64(len(disk)), output.VHDOptions{ID: id})
	require.NoError(t, err)
	write(t, v, disk)
	got := readAll(t, f.Name())
	require.Len(t, got, len(disk)+512)
	require.Equal(t, disk, got[:len(disk)])
	require.Contains(t, run(t, "qemu-img", "info", "-f", "vpc", f.Name()), "virtual size: 3 MiB (3145728 bytes)")
}

func TestVHDRefuses(t *testing.T) {
	for _, size := range []int64{0, 512, mib + 512, 2041 << 30} {
		_, err := output.NewVHD(create(t, "disk"), size, output.VHDOptions{})
		require.EqualError(t, err, "vhd: size "+itoa(size)+": want a multiple of 1048576, at most 2190433320960")
	}
}

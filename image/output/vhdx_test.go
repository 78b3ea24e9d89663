package output_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/output"
)

// TestVHDX has QEMU check and read disks of all kinds.
func TestVHDX(t *testing.T) {
	disk := makeDisk(37*mib + 4096)
	for _, tc := range []struct {
		name string
		disk []byte
		o    output.VHDXOptions
	}{
		{"default", disk, output.VHDXOptions{ID: id}},
		{"large blocks", disk, output.VHDXOptions{ID: id, BlockSize: 8 * mib}},
		{"small", disk[:512], output.VHDXOptions{}},
		{"no data", make([]byte, 5*mib), output.VHDXOptions{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := create(t, "disk.vhdx")
			v, err := output.NewVHDX(f, int64(len(tc.disk)), tc.o)
			require.NoError(t, err)
			write(t, v, tc.disk)
			requireSound(t, f.Name())
			require.Contains(t, run(t, "qemu-img", "compare", "-f", "raw", "-F", "vhdx", writeRaw(t, tc.disk), f.Name()), "Images are identical.")
		})
	}
}

// pyvhdi reads a file by libvhdi: the sizes of the disk and of its sectors, and what
// is at some offsets.
const pyvhdi = `
import pyvhdi, sys
f = pyvhdi.file()
f.open(sys.argv[1])
print(f.get_media_size(), f.get_bytes_per_sector())
for off in sys.argv[2:]:
    print(f.read_buffer_at_offset(3, int(off)).hex())
`

// TestVHDXOf4096 has libvhdi read a disk with sectors of 4096 bytes, which QEMU does
// not. An entry for a bitmap comes after each 32 GiB.
func TestVHDXOf4096(t *testing.T) {
	module := "/usr/lib/python3/dist-packages/pyvhdi*.so"
	if found, _ := filepath.Glob(module); len(found) > 0 {
		module = found[0] // its name tells for which Python it is
	}
	fixture.RequireFile(t, module)
	const size = 70 << 30
	f := create(t, "disk.vhdx")
	v, err := output.NewVHDX(f, size, output.VHDXOptions{SectorSize: 4096})
	require.NoError(t, err)
	args := []string{"-c", pyvhdi, f.Name()}
	want := fmt.Sprintln(int64(size), 4096)
	for i, off := range []int64{0, 32<<30 - 4096, 32 << 30, 64<<30 - 4096, 64 << 30, size - 4096} {
		_, err := v.WriteAt(bytes.Repeat([]byte{byte(i + 1)}, 4096), off)
		require.NoError(t, err)
		args = append(args, strconv.FormatInt(off, 10), strconv.FormatInt((off+1<<20)%size, 10))
		want += strings.Repeat(fmt.Sprintf("%02x", i+1), 3) + "\n000000\n"
	}
	require.NoError(t, v.Finish())
	require.Equal(t, want, run(t, "/usr/bin/python3", args...))
}

// TestVHDXOfManyBlocks has a table with entries for bitmaps between those for
// blocks, of which QEMU finds those that are behind.
func TestVHDXOfManyBlocks(t *testing.T) {
	const size = 9 << 30 // an entry for a bitmap comes after each 4 GiB
	f := create(t, "disk.vhdx")
	v, err := output.NewVHDX(f, size, output.VHDXOptions{})
	require.NoError(t, err)
	args := []string{"-r", "-f", "vhdx"}
	for i, off := range []int64{0, 4<<30 - 512, 4 << 30, 8<<30 - 512, 8 << 30, size - 512} {
		_, err := v.WriteAt(bytes.Repeat([]byte{byte(i + 1)}, 512), off)
		require.NoError(t, err)
		args = append(args, "-c", fmt.Sprintf("read -P %d %d 512", i+1, off))
	}
	require.NoError(t, v.Finish())
	requireSound(t, f.Name())
	out := run(t, "qemu-io", append(args, f.Name())...)
	require.Equal(t, 6, strings.Count(out, "read 512/512 bytes"), out)
	require.NotContains(t, out, "failed")
}

// requireSound has QEMU check a file.
func requireSound(t *testing.T, name string) {
	t.Helper()
	out := run(t, "qemu-img", "check", "--output=json", name)
	var result map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &result))
	require.EqualValues(t, 0, result["check-errors"], out)
	require.NotContains(t, result, "leaks", out)
	require.NotContains(t, result, "corruptions", out)
}

func TestVHDXRefuses(t *testing.T) {
	for _, tc := range []struct {
		size int64
		o    output.VHDXOptions
		want string
	}{
		{513, output.VHDXOptions{}, "vhdx: size 513: want a multiple of 512, at most 70368744177664"},
		{512, output.VHDXOptions{SectorSize: 4096}, "vhdx: size 512: want a multiple of 4096, at most 70368744177664"},
		{mib, output.VHDXOptions{SectorSize: 1024}, "vhdx: sector size 1024: want 512 or 4096"},
		{mib, output.VHDXOptions{BlockSize: 3 * mib}, "vhdx: block size 3145728: want a power of two from 1048576 to 268435456"},
	} {
		_, err := output.NewVHDX(create(t, "disk"), tc.size, tc.o)
		require.EqualError(t, err, tc.want)
	}
}

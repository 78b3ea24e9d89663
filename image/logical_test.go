package image_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
)

// dosDisk returns a disk that sfdisk has partitioned.
func dosDisk(t *testing.T, script string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "disk.img")
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	require.NoError(t, os.Truncate(name, 64*image.MiB))
	cmd := exec.CommandContext(t.Context(), fixture.RequireTool(t, "sfdisk"), "--quiet", name)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return name
}

// TestOpenLogicalPartitions finds what sfdisk has made, in numbers, places and types.
func TestOpenLogicalPartitions(t *testing.T) {
	for name, script := range map[string]string{
		"three":   "label: dos\n2048,4M,L\n,,Ex\n,4M,L\n,4M,L\n,8M,S\n,1M,c\n",
		"linux":   "label: dos\n,,85\n,4M,L\n,4M,L,*\n",
		"thirty":  "label: dos\n,,f\n" + strings.Repeat(",512K,L\n", 30),
		"nothing": "label: dos\n,4M,L\n,32M,Ex\n",
	} {
		t.Run(name, func(t *testing.T) {
			disk := dosDisk(t, script)
			want := sfdisk(t, disk).Table.Partitions
			d, err := image.Open(disk)
			require.NoError(t, err)
			defer d.Close()
			require.Empty(t, d.Notes)
			require.Len(t, d.Partitions, len(want))
			for i, p := range d.Partitions {
				w := want[i]
				require.Equal(t, w.Node, disk+strconv.Itoa(p.Number))
				require.Equal(t, w.Start*512, p.Start)
				require.Equal(t, w.Size*512, p.Size)
				require.Equal(t, w.Type, strings.TrimLeft(strings.TrimPrefix(string(p.Type), "0x"), "0"))
				require.Equal(t, w.Bootable, p.Attributes == image.LegacyBoot)
			}
		})
	}
}

// TestOpenLogicalPartitionsThatMakeNoSense ends at the record that leads astray, and
// says so.
func TestOpenLogicalPartitionsThatMakeNoSense(t *testing.T) {
	const script = "label: dos\n2048,,Ex\n,4M,L\n,4M,L\n"
	const first = 2048 * 512 // the first record of the chain
	const link = first + 446 + 16
	for _, tc := range []struct {
		name   string
		at     int64
		bytes  []byte
		number int // of partitions that are left
		note   string
	}{
		{"loop", link + 8, []byte{0, 0, 0, 0}, 2, "chain of logical partitions ends in a record at 1048576: want one in partition 1, and none twice"},
		{"far", link + 8, []byte{0, 0, 0xff, 0xff}, 2, "chain of logical partitions ends in a record at 2198990749696: want one in partition 1, and none twice"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			disk := dosDisk(t, script)
			f, err := os.OpenFile(disk, os.O_RDWR, 0)
			require.NoError(t, err)
			_, err = f.WriteAt(tc.bytes, tc.at)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			d, err := image.Open(disk)
			require.NoError(t, err)
			defer d.Close()
			require.Len(t, d.Partitions, tc.number)
			if tc.note != "" {
				require.Equal(t, []string{tc.note}, d.Notes)
			}
		})
	}
}

package image_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
)

// TestOpenAgreesWithBlkid compares what is recognised with what blkid recognises.
func TestOpenAgreesWithBlkid(t *testing.T) {
	for _, tc := range []struct {
		name string
		make []string // behind which the image comes
		want string
	}{
		{"ext2", []string{"mke2fs", "-q", "-F", "-t", "ext2", "-L", "two", "-U", "8f1c2c3e-0000-4000-8000-000000000001"}, "ext2"},
		{"ext3", []string{"mke2fs", "-q", "-F", "-t", "ext3", "-L", "three"}, "ext3"},
		{"ext4", []string{"mke2fs", "-q", "-F", "-t", "ext4", "-L", "four"}, "ext4"},
		{"ext2 with huge files", []string{"mke2fs", "-q", "-F", "-t", "ext2", "-O", "huge_file"}, "ext4"},
		{"FAT16", []string{"mkfs.fat", "-F", "16", "-n", "SIXTEEN", "-i", "12ab34cd"}, "vfat"},
		{"FAT32", []string{"mkfs.fat", "-F", "32", "-s", "1", "-n", "THIRTYTWO"}, "vfat"},
		{"FAT without a label", []string{"mkfs.fat"}, "vfat"},
		{"swap", []string{"mkswap", "-L", "paging"}, "swap"},
		{"ISO 9660", []string{"xorrisofs", "-quiet", "-V", "disc", "/etc/hostname", "-o"}, "iso9660"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "image")
			require.NoError(t, os.WriteFile(name, nil, 0o644))
			require.NoError(t, os.Truncate(name, 48*mib))
			run(t, fixture.RequireTool(t, tc.make[0]), append(tc.make[1:], name)...)
			d, err := image.Open(name)
			require.NoError(t, err)
			defer d.Close()
			p := d.Partitions[0]
			var want strings.Builder // as "blkid -o export" prints it, in an order of our own
			lines := strings.Split(run(t, fixture.RequireTool(t, "blkid"), "-p", "-o", "export", name), "\n")
			for _, key := range []string{"LABEL=", "UUID=", "TYPE="} {
				for _, line := range lines {
					if strings.HasPrefix(line, key) {
						fmt.Fprintln(&want, line)
					}
				}
			}
			got := fmt.Sprintf("UUID=%s\nTYPE=%s\n", p.UUID, p.Format)
			if p.Label != "" {
				got = "LABEL=" + p.Label + "\n" + got
			}
			require.Equal(t, want.String(), got)
			require.Equal(t, tc.want, p.Format)
		})
	}
}

package repart_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/spec/repart"
)

// systemdRepart has systemd build the disk of definitions.
func systemdRepart(t *testing.T, dir, size string, args ...string) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "systemd.img")
	args = append([]string{"--empty=create", "--size=" + size, "--dry-run=no", "--definitions=" + dir}, args...)
	args = append(args, "--seed="+seed.String(), "--no-pager", "--pretty=no", name)
	out, err := exec.Command(fixture.RequireTool(t, "systemd-repart"), args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return name
}

// table returns the partition table of an image as sfdisk reads it.
func table(t *testing.T, name string) map[string]any {
	t.Helper()
	out, err := exec.Command(fixture.RequireTool(t, "sfdisk"), "--json", name).Output()
	require.NoError(t, err)
	out = []byte(strings.ReplaceAll(string(out), name, "disk"))
	var v struct{ PartitionTable map[string]any }
	require.NoError(t, json.Unmarshal(out, &v))
	// How low partitions may begin is a hint that libfdisk leaves for itself.
	delete(v.PartitionTable, "firstlba")
	return v.PartitionTable
}

// TestTables compares with what systemd-repart makes of the same definitions.
// Version 252 does other things than its manual says with sizes that are no
// multiples of 4096, which it rounds the wrong way, with GrowFileSystem=no, which it
// does not heed, and with bits of Flags below 48, with which it sets none at all:
// these are not here.
func TestTables(t *testing.T) {
	fixture.RequireTool(t, "systemd-repart", "sfdisk")
	fixture.RequireRoot(t)
	for _, tc := range []struct {
		name  string
		size  int64 // 0 is --size=auto
		files []string
	}{
		{"one partition", 100 << 20, []string{"10-root.conf\nType=root"}},
		{"as small as it can be", 0, []string{"10-root.conf\nType=root", "20-home.conf\nType=home"}},
		{"tiny", 2 << 20, []string{"10-root.conf\nType=root\nSizeMinBytes=4K"}},
		{"tiny, as small as it can be", 0, []string{"10-root.conf\nType=root\nSizeMinBytes=4K"}},
		{"no multiple of anything", 123456789 / 4096 * 4096, []string{"a.conf\nType=root\nWeight=7", "b.conf\nType=home\nWeight=13", "c.conf\nType=srv\nWeight=17"}},
		{"weights", 1 << 30, []string{"10-a.conf\nType=root\nWeight=333", "20-b.conf\nType=home\nWeight=1000", "30-c.conf\nType=var\nWeight=0", "40-d.conf\nType=srv\nWeight=5000"}},
		{"fixed and elastic", 1 << 30, []string{"10-a.conf\nType=esp\nSizeMinBytes=64M\nSizeMaxBytes=64M", "20-b.conf\nType=root", "30-c.conf\nType=swap\nSizeMinBytes=64M\nSizeMaxBytes=100M\nWeight=333"}},
		{"minimum over the share", 300 << 20, []string{"10-a.conf\nType=root\nSizeMinBytes=200M", "20-b.conf\nType=home", "30-c.conf\nType=srv\nSizeMinBytes=33M"}},
		{"maximum below the default minimum", 300 << 20, []string{"10-a.conf\nType=root\nSizeMaxBytes=5M", "20-b.conf\nType=home"}},
		{"nobody wants the rest", 300 << 20, []string{"10-a.conf\nType=root\nSizeMaxBytes=50M", "20-b.conf\nType=home\nSizeMaxBytes=20M"}},
		{"nobody weighs anything", 300 << 20, []string{"10-a.conf\nType=root\nWeight=0", "20-b.conf\nType=home\nWeight=0"}},
		{"padding", 500 << 20, []string{"10-a.conf\nType=root\nPaddingMinBytes=10M", "20-b.conf\nType=home\nPaddingWeight=500\nPaddingMaxBytes=20M", "30-c.conf\nType=srv\nPaddingWeight=1000"}},
		{"padding, as small as it can be", 0, []string{"10-a.conf\nType=root\nPaddingMinBytes=10M", "20-b.conf\nType=home\nPaddingMinBytes=4K"}},
		{"priorities", 50 << 20, []string{"10-a.conf\nType=root", "20-b.conf\nType=home\nPriority=5\nSizeMinBytes=30M", "30-c.conf\nType=srv\nPriority=-1", "40-d.conf\nType=var\nPriority=5", "50-e.conf\nType=tmp\nPriority=1"}},
		{"several of one type", 200 << 20, []string{"10-a.conf\nType=root", "20-b.conf\nType=root", "30-c.conf\nType=root-x86-64\nLabel=root-x86-64-4", "40-d.conf\nType=root", "50-e.conf\nType=root"}},
		{"sizes with fractions", 200 << 20, []string{"10-a.conf\nType=root\nSizeMaxBytes=19.5M\nSizeMinBytes=4K", "20-b.conf\nType=home\nSizeMaxBytes=2T\nSizeMinBytes=10.5M"}},
		{"types", 1 << 30, []string{
			"00.conf\nType=linux-generic", "01.conf\nType=0fc63daf-8483-4772-8e79-3d69d8477de4", "02.conf\nType=21686148-6449-6e6f-744e-656564454649",
			"03.conf\nType=root-secondary", "04.conf\nType=user-home", "05.conf\nType=root-verity", "06.conf\nType=usr-arm64-verity-sig",
			"07.conf\nType=4f68bce3e8cd4db196e7fbcaf984b709", "08.conf\nType=xbootldr", "09.conf\nType=usr-secondary-verity",
		}},
		{"names", 200 << 20, []string{"10-a.conf\nType=root\nLabel=", "20-b.conf\nType=root\nLabel=100%% größer", "30-c.conf\nType=home\nLabel=%a-%o-%w", "40.conf\nType=home\nUUID=0190a7b2-6dbe-4c5f-9e0b-4d1f2a3b4c5d"}},
		{"flags", 200 << 20, []string{
			"0.conf\nType=root\nFlags=0x1001000000000000", "1.conf\nType=root\nReadOnly=yes", "2.conf\nType=swap\nNoAuto=yes",
			"3.conf\nType=root-verity", "4.conf\nType=esp\nFlags=281474976710656", "5.conf\nType=home\nNoAuto=true\nReadOnly=on\nGrowFileSystem=off", "6.conf\nType=xbootldr\nFlags=0b1000000000000000000000000000000000000000000000000",
		}},
		{"drop-ins and masks", 200 << 20, []string{
			"10-a.conf\nType=root\nWeight=100", "10-a.conf.d/20.conf\nWeight=200", "10-a.conf.d/10.conf\nWeight=7\nLabel=dropped",
			"10-a.conf.d/ignored.txt\nWeight=9", "20-b.conf\nType=home", ".hidden.conf\nType=srv", "30.txt\nType=srv", "40-masked.conf",
		}},
		{"syntax", 200 << 20, []string{"a.conf\n# comment\n; another\n[Partition]\nType = \\\n  # between\n  root\n\nLabel=a \\\n   b\nX-Mine=1\n[X-Other]\nfoo=bar", "b.conf\n\ufeff[Partition]\r\nType=home\r\nWeight=300"}},
		{"formats", 0, []string{
			"1.conf\nType=esp\nFormat=vfat\nSizeMinBytes=4M", "2.conf\nType=root\nFormat=ext4\nSizeMinBytes=4K\nLabel=a longer label than ext4",
			"3.conf\nType=swap\nFormat=swap\nSizeMinBytes=1M", "4.conf\nType=home\nFormat=btrfs\nSizeMinBytes=1M",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := define(t, tc.files...)
			size := "auto"
			if tc.size != 0 {
				size = strconv.FormatInt(tc.size, 10)
			}
			want := table(t, systemdRepart(t, dir, size))
			name, plan := build(t, dir, repart.Options{Seed: seed, Size: tc.size})
			require.Equal(t, want, table(t, name))
			info, err := os.Stat(name)
			require.NoError(t, err)
			require.Equal(t, plan.Size, info.Size())
		})
	}
}

// identity returns the type, label and UUID of a volume, as blkid finds them.
func identity(t *testing.T, name string, offset, size int64) string {
	t.Helper()
	out, err := exec.Command(fixture.RequireTool(t, "blkid"), "-p", "-o", "export", "-s", "TYPE", "-s", "LABEL", "-s", "UUID", "-s", "VERSION",
		"--offset", strconv.FormatInt(offset, 10), "--size", strconv.FormatInt(size, 10), name).Output()
	require.NoError(t, err)
	return strings.ReplaceAll(string(out), name, "disk")
}

package repart_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/spec/repart"
)

// TestErrors wants the place of everything that is wrong.
func TestErrors(t *testing.T) {
	blocks := filepath.Join(t.TempDir(), "blocks")
	require.NoError(t, os.WriteFile(blocks, make([]byte, 700), 0o644))
	for _, tc := range []struct {
		name  string
		files []string
		want  []string // DIR is the directory
	}{
		{"nothing", nil, []string{"DIR: no definitions: want files such as 10-root.conf"}},
		{"masked", []string{"1.conf"}, []string{"DIR: no definitions"}},
		{"unknown", []string{"1.conf\nType=root\nMountPoint=/x"}, []string{"DIR/1.conf:3: MountPoint: not supported: want a setting of repart.d(5)"}},
		{"encrypt", []string{"1.conf\nEncrypt=tpm2"}, []string{`DIR/1.conf:2: Encrypt "tpm2": not supported: want off`}},
		{"several", []string{"1.conf\nType=foo\nWeight=-1", "2.conf\nWeight=1000001\nSizeMinBytes=2 gigs"}, []string{
			`DIR/1.conf:2: Type "foo": want a name of repart.d(5), such as esp or root-x86-64, or a GUID`,
			`DIR/1.conf:3: Weight "-1": want a number from 0 to 1000000`,
			`DIR/2.conf:2: Weight "1000001": want`, `DIR/2.conf:3: SizeMinBytes "2 gigs": want a number of bytes, or of K, M, G, T, P or E`,
		}},
		{"sizes", []string{"1.conf\nSizeMinBytes=20M", "1.conf.d/x.conf\n\nSizeMaxBytes=10M\nPaddingMinBytes=2M\nPaddingMaxBytes=1M"}, []string{
			"DIR/1.conf.d/x.conf:3: SizeMaxBytes 10485760: want at least SizeMinBytes, 20971520, at DIR/1.conf:2",
			"DIR/1.conf.d/x.conf:5: PaddingMaxBytes 1048576: want at least PaddingMinBytes, 2097152, at DIR/1.conf.d/x.conf:4",
		}},
		{"blocks and a format", []string{"1.conf\nCopyBlocks=/x\nFormat=ext4"}, []string{"DIR/1.conf:2: CopyBlocks: want either it or Format, at DIR/1.conf:3"}},
		{"blocks and files", []string{"1.conf\nCopyBlocks=/x\nMakeDirectories=/a"}, []string{"DIR/1.conf:2: CopyBlocks: want either it or files, at DIR/1.conf:3"}},
		{"blocks, auto", []string{"1.conf\nCopyBlocks=auto"}, []string{"DIR/1.conf:2: CopyBlocks auto: not supported: want the path of a file"}},
		{"blocks of a directory", []string{"1.conf\nCopyBlocks=/"}, []string{"DIR/1.conf:2: CopyBlocks: /: is of type d---------: want a regular file or a block device"}},
		{"blocks of another size", []string{"1.conf\nCopyBlocks=" + blocks}, []string{"DIR/1.conf:2: CopyBlocks: " + blocks + " has 700 bytes: want a multiple of 512"}},
		{"swap with files", []string{"1.conf\nFormat=swap\nCopyFiles=/x"}, []string{"DIR/1.conf:3: files: want none with Format=swap, at DIR/1.conf:2, which holds none"}},
		{"format", []string{"1.conf\nFormat=zfs"}, []string{`DIR/1.conf:2: Format "zfs": not supported: want one of btrfs, erofs, exfat, ext4, squashfs, swap, vfat, xfs`}},
		{"flag without a meaning", []string{"1.conf\nType=esp\nNoAuto=yes"}, []string{"DIR/1.conf:3: NoAuto: it has no meaning for a partition of type esp, at DIR/1.conf:2"}},
		{"paths", []string{"1.conf\nCopyFiles=a:/\nMakeDirectories=/a/../b\nCopyFiles=/a:/b:/c:/d\nCopyFiles=/a:/b:fsverity=copy\nMakeSymlinks=/a"}, []string{
			`DIR/1.conf:2: CopyFiles "a": want an absolute path`, `DIR/1.conf:3: MakeDirectories "/a/../b": want a path without ".."`,
			`DIR/1.conf:4: CopyFiles "/a:/b:/c:/d": want a source, or a source:target`, `DIR/1.conf:5: CopyFiles "/a:/b:fsverity=copy": option "fsverity=copy": not supported`,
			`DIR/1.conf:6: MakeSymlinks "/a": want a path:target`,
		}},
		{"UUID", []string{"1.conf\nUUID=null", "2.conf\nUUID=xyz"}, []string{"DIR/1.conf:2: UUID null: not supported", `DIR/2.conf:2: UUID "xyz": want a UUID`}},
		{"specifier", []string{"1.conf\nLabel=%y"}, []string{`DIR/1.conf:2: Label "%y": %y: want one of repart.d(5)'s specifiers, or %% for a percent sign`}},
		{"minimize", []string{"1.conf\nMinimize=best\nCopyFiles=/x", "2.conf\nMinimize=guess", "3.conf\nMinimize=maybe"}, []string{
			"DIR/1.conf:2: Minimize best: want guess with Format=ext4, which is not a read-only file system",
			"DIR/2.conf:2: Minimize guess: want a Format, or files", `DIR/3.conf:2: Minimize "maybe": want one of [off best guess]`,
		}},
		{"subvolume of nothing", []string{"1.conf\nFormat=btrfs\nMakeDirectories=/a\nSubvolumes=/a /b\nMinimize=guess"}, []string{`DIR/1.conf:4: Format=btrfs: btrfs: "b": cannot be a subvolume: want a directory of the tree, and not its root`}},
		{"compression", []string{"1.conf\nFormat=erofs\nCompression=zstd", "2.conf\nFormat=ext4\nCompressionLevel=3", "3.conf\nFormat=squashfs\nCompression=lzo\nCompressionLevel=many"}, []string{
			"DIR/1.conf:3: Compression: not supported with Format=erofs, at DIR/1.conf:2: want squashfs", "DIR/2.conf:3: CompressionLevel: not supported with Format=ext4",
			`DIR/3.conf:3: Compression squashfs: compression "lzo": bad option: want zstd, gzip, xz, lz4 or none`, `DIR/3.conf:4: CompressionLevel "many": want a number from 1`,
		}},
		{"compression level", []string{"1.conf\nFormat=squashfs\nCompression=gzip\nCompressionLevel=10"}, []string{"DIR/1.conf:4: partition 1 (linux-generic): size 103788544: squashfs: level 10: "}},
		{"compression level, minimized", []string{"1.conf\nFormat=squashfs\nCompression=gzip\nCompressionLevel=10\nMinimize=best"}, []string{"DIR/1.conf:4: Format=squashfs: squashfs: level 10: "}},
		{"verity", []string{"1.conf\nVerity=data", "2.conf\nVerityMatchKey=a", "3.conf\nVerity=hash\nVerityMatchKey=b\nFormat=ext4", "4.conf\nVerity=data\nVerityMatchKey=c", "5.conf\nVerity=data\nVerityMatchKey=c"}, []string{
			"DIR/1.conf:2: Verity data: want a VerityMatchKey", `DIR/2.conf:2: VerityMatchKey "a": want a Verity`,
			"DIR/3.conf:2: Verity hash: want no content of its own, at DIR/3.conf:4",
			`DIR/4.conf:3: VerityMatchKey "c": want one partition of Verity=data, there is another at DIR/5.conf:2`,
			`DIR/4.conf:3: VerityMatchKey "c": want a partition of Verity=hash as well`,
		}},
		{"UUID of a root hash", []string{"1.conf\nVerity=data\nVerityMatchKey=a\nSplitName=%U", "2.conf\nVerity=hash\nVerityMatchKey=a"}, []string{
			`DIR/1.conf:4: SplitName "%U": not supported: %U of a partition whose UUID comes of the root hash`,
		}},
		{"directory in a name", []string{"1.conf\nSplitName=%%V%V"}, []string{`DIR/1.conf:2: SplitName "%%V%V": not supported: %V in a name`}},
		{"too small", []string{"1.conf\nSizeMinBytes=80M", "2.conf\nPriority=-1\nPaddingMinBytes=20M"}, []string{
			"DIR: partitions: disk: content needs 116412416 bytes, volume has 104857600: 11554816 too few: want a larger disk, or partitions with a Priority above 0 that may be left out",
		}},
		{"unsigned", []string{"1.conf\nVerity=data\nVerityMatchKey=a", "2.conf\nVerity=hash\nVerityMatchKey=a", "3.conf\nVerity=signature\nVerityMatchKey=a"}, []string{
			"DIR/3.conf:2: Verity signature: want the options of a private key and a certificate",
		}},
		{"unbounded data", []string{"1.conf\nVerity=data\nVerityMatchKey=a", "2.conf\nVerity=hash\nVerityMatchKey=a\nMinimize=best"}, []string{
			"DIR/2.conf:4: Minimize best: want a SizeMaxBytes of the partition with Verity=data, at DIR/1.conf:2",
		}},
		{"small tree", []string{"1.conf\nVerity=data\nVerityMatchKey=a", "2.conf\nVerity=hash\nVerityMatchKey=a\nSizeMinBytes=4K\nSizeMaxBytes=4K"}, []string{
			"DIR/2.conf: partition 2 (linux-generic-2): size 4096: ", ": want a larger SizeMinBytes, or Minimize=guess",
		}},
		{"missing source", []string{"1.conf\nCopyFiles=/nothing/at/all:/"}, []string{"DIR/1.conf:2: CopyFiles: stat /nothing/at/all: no such file or directory"}},
		{"files that do not fit", []string{"1.conf\nFormat=ext4\nCopyFiles=DIR:/\nSizeMinBytes=16K\nSizeMaxBytes=16K"}, []string{"DIR/1.conf:3: partition 1 (linux-generic): size 1048576: ", ": want a larger SizeMinBytes, or Minimize=guess"}},
		{"need over the maximum", []string{"1.conf\nFormat=ext4\nCopyFiles=DIR:/\nSizeMaxBytes=1M\nMinimize=guess"}, []string{"DIR/1.conf:4: SizeMaxBytes 1048576: want at least ", ", what the files need, at DIR/1.conf:3"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := define(t, tc.files...)
			if strings.Contains(strings.Join(tc.files, ""), "DIR") {
				b, err := os.ReadFile(filepath.Join(dir, "1.conf"))
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(dir, "1.conf"), []byte(strings.ReplaceAll(string(b), "DIR", dir)), 0o644))
				require.NoError(t, os.WriteFile(filepath.Join(dir, "large"), []byte(strings.Repeat("x", 2<<20)), 0o644))
			}
			err := plan(t, dir, repart.Options{Size: 100 << 20})
			var e *repart.Error
			require.ErrorAs(t, err, &e)
			for _, want := range tc.want {
				require.ErrorContains(t, err, strings.ReplaceAll(want, "DIR", dir))
			}
		})
	}
	_, err := repart.Load([]string{"/nothing"}, repart.Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// plan plans the disk of definitions.
func plan(t *testing.T, dir string, o repart.Options) error {
	t.Helper()
	d, err := repart.Load([]string{dir}, o)
	if err != nil {
		return err
	}
	l, err := d.Layout(t.Context())
	if err != nil {
		return err
	}
	defer func() { require.NoError(t, l.Close()) }()
	_, err = l.Plan(t.Context())
	return err
}

// TestMinimize wants sizes that hold the files, and no more than that where the
// file system cannot grow.
func TestMinimize(t *testing.T) {
	fixture.RequireTool(t, "e2fsck", "unsquashfs", "fsck.erofs")
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "file"), []byte(strings.Repeat("0123456789abcdef", 300_000)), 0o644))
	dir := define(t,
		"1.conf\nType=root\nFormat=ext4\nCopyFiles="+root+":/\nMinimize=guess\nWeight=0",
		"2.conf\nType=usr\nFormat=squashfs\nCopyFiles="+root+":/\nMinimize=yes",
		"3.conf\nType=home\nFormat=squashfs\nCopyFiles="+root+":/\nMinimize=guess\nSizeMinBytes=20M",
		"4.conf\nType=srv\nFormat=erofs\nCopyFiles="+root+":/\nMinimize=best",
		"5.conf\nType=var",
	)
	name, p := build(t, dir, repart.Options{Size: 100 << 20})
	sizes := []int64{p.Partitions[0].Size, p.Partitions[1].Size, p.Partitions[2].Size}
	require.Greater(t, sizes[0], int64(16*300_000))
	require.Less(t, sizes[0], int64(10<<20), "the default minimum is none")
	require.Equal(t, p.Partitions[1].Volume.Size, sizes[1])
	require.Equal(t, int64(20<<20), sizes[2])
	require.Equal(t, p.Partitions[3].Volume.Size, p.Partitions[3].Size)
	require.Equal(t, int64(100<<20)-5*4096, p.Partitions[4].End(), "the rest is the last one's")
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	for i, judge := range [][]string{{"e2fsck", "-fn"}, {"unsquashfs", "-q", "-l"}, {"unsquashfs", "-q", "-l"}, {"fsck.erofs"}} {
		part := filepath.Join(t.TempDir(), "part")
		require.NoError(t, os.WriteFile(part, b[p.Partitions[i].Start:p.Partitions[i].End()], 0o644))
		out, err := exec.Command(fixture.RequireTool(t, judge[0]), append(judge[1:], part)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

func TestCopyBlocks(t *testing.T) {
	blocks := filepath.Join(t.TempDir(), "blocks")
	require.NoError(t, os.WriteFile(blocks, []byte(strings.Repeat("x", 12<<20+512)), 0o644))
	name, p := build(t, define(t, "1.conf\nCopyBlocks="+blocks), repart.Options{})
	require.Equal(t, int64(12<<20+4096), p.Partitions[0].Size)
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	got := string(b[p.Partitions[0].Start:p.Partitions[0].End()])
	require.Equal(t, strings.Repeat("x", 12<<20+512)+strings.Repeat("\x00", 4096-512), got)
}

// TestWithoutSeed wants the same UUIDs for the same definitions, wherever they lie,
// and others for others.
func TestWithoutSeed(t *testing.T) {
	id := func(text string) string {
		_, p := build(t, define(t, "1.conf\n"+text), repart.Options{})
		return p.ID.String()
	}
	require.Equal(t, id("Type=root"), id("Type=root"))
	require.NotEqual(t, id("Type=root"), id("Type=home"))
}

func TestSplitNames(t *testing.T) {
	d, err := repart.Load([]string{define(t,
		"1.conf\nType=root", "2.conf\nType=home\nSplitName=-", "3.conf\nType=srv\nSplitName=%n-%t-%T-%U\nUUID=0190a7b2-6dbe-4c5f-9e0b-4d1f2a3b4c5d",
		"4.conf\nSplitName=left out\nPriority=1", "5.conf\nType=var\nSplitName=100%%",
	)}, repart.Options{Size: 50 << 20})
	require.NoError(t, err)
	l, err := d.Layout(t.Context())
	require.NoError(t, err)
	defer l.Close()
	_, err = l.Plan(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{
		"root-x86-64", "", "2-srv-3b8f842520e04f3b907f1a25a76f98e8-0190a7b26dbe4c5f9e0b4d1f2a3b4c5d", "100%",
	}, append([]string{strings.Replace(l.SplitNames[0], "root-arm64", "root-x86-64", 1)}, l.SplitNames[1:]...))
	require.Len(t, l.Omitted, 1)
	require.Equal(t, int32(1), l.Omitted[0].Priority)
}

// TestAttributes wants the flags of which systemd-repart 252 sets none, or others
// than its manual says.
func TestAttributes(t *testing.T) {
	for text, want := range map[string]image.Attributes{
		"Flags=7":                                image.Required | image.NoBlockIO | image.LegacyBoot,
		"Type=root\nGrowFileSystem=no":           0,
		"Type=root\nFlags=0x0800000000000000":    image.GrowFS,
		"Type=home\nReadOnly=1\nFlags=0b100":     image.ReadOnly | image.LegacyBoot,
		"Type=swap\nNoAuto=yes":                  image.NoAuto,
		"Type=usr-verity\nReadOnly=no\nNoAuto=t": image.NoAuto,
	} {
		_, p := build(t, define(t, "1.conf\n"+text), repart.Options{})
		require.Equal(t, want, p.Partitions[0].Attributes, text)
	}
}

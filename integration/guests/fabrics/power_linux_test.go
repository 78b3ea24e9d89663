package fabrics

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/nvme/nvmetest"
	"github.com/drivebay/drivebay/nvme/nvmetest/tcptarget"
)

// cached is a small drive with a volatile write cache of 32 MiB.
func cached(p *nvmetest.Profile) {
	smallDrive(p)
	p.CacheSize = 32 << 20
}

// TestPowerCutLosesTheCache writes past the page cache: what was neither flushed nor
// forced to the media (FUA) is lost with the drive's power, though the write was done.
func TestPowerCutLosesTheCache(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Consumer(), cached),
		fixture.TargetOptions(tcptarget.Options{Reconnect: 20 * time.Second}))
	quiet(t, "nvme")
	device := node(t, d)
	mode, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(device), "queue/write_cache"))
	require.NoError(t, err)
	require.Equal(t, "write back\n", string(mode), "the kernel knows that there is a cache")
	plain := openDirect(t, device, 0)
	forced := openDirect(t, device, unix.O_DSYNC)
	require.NoError(t, plain.write(1, 0))
	require.NoError(t, plain.f.Sync())
	require.NoError(t, forced.write(3, 8192)) // NB: flushes as well
	require.NoError(t, plain.write(2, 4096))
	require.NoError(t, plain.write(4, 0))
	d.Emulated.Reset(nvmetest.PowerCycle)
	for off, want := range map[int64]byte{0: 1, 4096: 0, 8192: 3} {
		got, err := plain.read(off)
		require.NoError(t, err)
		require.Equal(t, want, got, "at %d", off)
	}
}

// TestPowerCutUnderAFileSystem writes two files to ext4, of which one is synced: by
// fsync only does a file outlive the drive's power.
func TestPowerCutUnderAFileSystem(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Consumer(), cached),
		fixture.TargetOptions(tcptarget.Options{Reconnect: time.Second}))
	quiet(t, "nvme", "EXT4-fs", "JBD2", "Aborting journal", "Buffer I/O error")
	device := node(t, d)
	run(t, "mkfs.ext4", "-q", device)
	dir, unmount := mount(t, device, "ext4")
	want := bytes.Repeat([]byte("drivebay"), 8<<10)
	synced, err := os.Create(filepath.Join(dir, "synced"))
	require.NoError(t, err)
	_, err = synced.Write(want)
	require.NoError(t, err)
	require.NoError(t, synced.Sync())
	require.NoError(t, synced.Close())
	// The data of this one is written out to the drive, and yet not kept by it.
	lost, err := os.Create(filepath.Join(dir, "lost"))
	require.NoError(t, err)
	_, err = lost.Write(want)
	require.NoError(t, err)
	require.NoError(t, unix.SyncFileRange(int(lost.Fd()), 0, 0,
		unix.SYNC_FILE_RANGE_WAIT_BEFORE|unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER))
	require.NoError(t, lost.Close())

	gone := of(t, d)
	d.Emulated.PowerOff()
	gone.wait(t, "ACTION=remove") // the kernel has given it up
	unmount()
	d.Emulated.PowerOn()

	again, err := tcptarget.Attach(t.Context(), d.Emulated, tcptarget.Options{NQN: "nqn.2014-08.org.nvmexpress:drivebay-again"})
	require.NoError(t, err)
	defer again.Close()
	device, err = again.NamespaceNode(1)
	require.NoError(t, err)
	dir, unmount = mount(t, device, "ext4") // replays the journal
	got, err := os.ReadFile(filepath.Join(dir, "synced"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "what was synced")
	got, err = os.ReadFile(filepath.Join(dir, "lost"))
	require.False(t, err == nil && bytes.Equal(want, got), "what was not synced is still there")
	unmount()
	run(t, "e2fsck", "-fn", device)
}

// TestDiskImage has a disk of package image as the drive's data: the kernel finds
// its partitions, and mounts one.
func TestDiskImage(t *testing.T) {
	layout := image.Layout{Size: 64 * image.MiB, Partitions: []image.Partition{
		{Name: "esp", Type: image.ESP, Size: 16 * image.MiB},
		{Name: "root", Type: image.Root, Content: &ext4.FileSystem{Label: "root"}},
	}}
	plan, err := layout.Plan(t.Context())
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "disk.img")
	require.NoError(t, plan.Build(t.Context(), path, image.Options{}))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Consumer(), func(p *nvmetest.Profile) {
		p.Namespaces = []nvmetest.NamespaceConfig{{Blocks: 64 << 20 / 512, Media: f}}
	}))
	quiet(t)
	device := node(t, d)
	run(t, "sfdisk", "--verify", device)
	root := device + "p2"
	require.Eventually(t, func() bool { _, err := os.Stat(root); return err == nil }, patience, 5*time.Millisecond)
	run(t, "e2fsck", "-fn", root)
	dir, unmount := mount(t, root, "ext4")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("through the kernel"), 0o644))
	unmount()
	run(t, "e2fsck", "-fn", root)
}

// TestFio mixes reads and writes, and verifies all that it has written. The time
// is FIO_RUNTIME, in fio's notation, or a few seconds.
func TestFio(t *testing.T) {
	runtime := os.Getenv("FIO_RUNTIME")
	if runtime == "" {
		runtime = "3s"
	}
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Consumer(), smallDrive),
		fixture.TargetOptions(tcptarget.Options{HeaderDigest: true, DataDigest: true}))
	quiet(t)
	says := kernelSays(t)
	out := run(t, "fio", "--name=mixed", "--filename="+node(t, d), "--rw=randrw", "--bsrange=4k-128k", "--direct=1", "--ioengine=psync",
		"--thread", "--numjobs=1", "--size=60M", "--verify=crc32c", "--verify_fatal=1", "--time_based", "--runtime="+runtime,
		"--verify_backlog=64", "--randrepeat=1", "--fsync=32", "--output-format=normal")
	require.Contains(t, out, "err= 0")
	t.Logf("%s\nthe kernel says of it: %q", out, says())
}

// TestDD writes through the page cache, and reads what it has written.
func TestDD(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Consumer(), smallDrive))
	quiet(t)
	device := node(t, d)
	want := make([]byte, 8<<20)
	for i := range want {
		want[i] = byte(i * 7 >> 3)
	}
	in, out := filepath.Join(t.TempDir(), "in"), filepath.Join(t.TempDir(), "out")
	require.NoError(t, os.WriteFile(in, want, 0o600))
	run(t, "dd", "if="+in, "of="+device, "bs=1M", "conv=fsync")
	run(t, "blockdev", "--flushbufs", device)
	run(t, "dd", "if="+device, "of="+out, "bs=64k", "count=128", "iflag=direct")
	got, err := os.ReadFile(out)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
}

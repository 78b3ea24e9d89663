package loop_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/loop"
)

// extent is where a partition lies, in bytes.
type extent struct {
	Number      int
	Start, Size int64
}

func extents(parts []loop.Partition) []extent {
	var e []extent
	for _, p := range parts {
		e = append(e, extent{p.Number, p.Start, p.Size})
	}
	return e
}

// sfdiskExtents returns what sfdisk reads on a device.
func sfdiskExtents(t *testing.T, d *loop.Device) []extent {
	t.Helper()
	var table struct {
		PartitionTable struct {
			SectorSize int64
			Partitions []struct {
				Node, Type  string
				Start, Size int64
			}
		}
	}
	out := run(t, "", fixture.RequireTool(t, "sfdisk"), "--json", d.Path())
	require.NoError(t, json.Unmarshal([]byte(out), &table))
	bs := int64(d.BlockSize())
	require.Equal(t, bs, table.PartitionTable.SectorSize)
	var e []extent
	for _, p := range table.PartitionTable.Partitions {
		number := 0
		for _, digit := range p.Node[strings.LastIndexByte(p.Node, 'p')+1:] {
			number = 10*number + int(digit-'0')
		}
		size := p.Size * bs
		if p.Type == "5" || p.Type == "f" {
			size = max(1024, bs) // all that the kernel shows of it
		}
		e = append(e, extent{number, p.Start * bs, size})
	}
	return e
}

func TestPartitions(t *testing.T) {
	fixture.RequireLoop(t)
	fixture.RequireTool(t, "sfdisk")
	for _, tc := range []struct {
		name      string
		blockSize int
		script    string
		count     int
	}{
		{"GPT", 512, "label: gpt\n,10M\n,20M\n,\n", 3},
		{"GPT with gaps in the numbers", 512, "label: gpt\n2: size=4M\n7: size=8M\n128: size=1M\n", 3},
		{"GPT, blocks of 4096", 4096, "label: gpt\n,10M\n,20M\n", 2},
		{"GPT, blocks of 1024", 1024, "label: gpt\n,10M\n,20M\n", 2},
		{"MBR", 512, "label: dos\n,10M\n,20M,c\n", 2},
		{"MBR, blocks of 4096", 4096, "label: dos\n,10M\n,20M\n", 2},
		{"MBR with logical partitions", 512, "label: dos\n,4M\n,,E\n,4M\n,4M\n,8M\n", 5},
		{"MBR with logical partitions, blocks of 2048", 2048, "label: dos\n,,E\n,4M\n,4M\n", 3},
		{"empty GPT", 512, "label: gpt\n", 0},
		{"empty MBR", 512, "label: dos\n", 0},
		{"no table", 512, "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := attach(t, memfd(t, 64*mib), loop.Options{BlockSize: tc.blockSize})
			var want []extent
			if tc.script != "" {
				run(t, tc.script, "sfdisk", "--no-reread", "--no-tell-kernel", d.Path())
				want = sfdiskExtents(t, d)
			}
			require.Len(t, want, tc.count)
			for range 2 { // the second time the kernel knows them
				parts, err := d.Partitions(t.Context())
				require.NoError(t, err)
				require.Equal(t, want, extents(parts))
				for _, p := range parts {
					checkPartition(t, d, p)
				}
			}
		})
	}
}

// checkPartition compares a partition with sysfs, and its node with blockdev.
func checkPartition(t *testing.T, d *loop.Device, p loop.Partition) {
	t.Helper()
	require.Equal(t, d.Name()+"p"+itoa(p.Number), p.Name)
	require.Equal(t, sysfs(t, d.Name(), p.Name, "dev"), p.Device.String())
	blockdev := fixture.RequireTool(t, "blockdev")
	require.Equal(t, itoa(int(p.Size)), strings.TrimSpace(run(t, "", blockdev, "--getsize64", p.Path())))
	f, err := p.Open(os.O_RDWR)
	require.NoError(t, err)
	defer f.Close()
	var st unix.Stat_t
	require.NoError(t, unix.Fstat(int(f.Fd()), &st))
	require.Equal(t, p.Device.String(), itoa(int(unix.Major(st.Rdev)))+":"+itoa(int(unix.Minor(st.Rdev))))
}

func TestPartitionsOfSgdisk(t *testing.T) {
	fixture.RequireLoop(t)
	sgdisk := fixture.RequireTool(t, "sgdisk")
	d := attach(t, memfd(t, 64*mib), loop.Options{})
	run(t, "", sgdisk, "--clear", "--new=1:2048:+8M", "--new=4:0:0", d.Path())
	parts, err := d.Partitions(t.Context())
	require.NoError(t, err)
	require.Equal(t, sfdiskExtents(t, d), extents(parts))
	require.Len(t, parts, 2)
}

func TestPartitionIsAPartOfTheDevice(t *testing.T) {
	fixture.RequireLoop(t)
	f := memfd(t, 8*mib)
	d := attach(t, f, loop.Options{})
	p, err := d.AddPartition(t.Context(), 200, 2*mib, mib)
	require.NoError(t, err)
	checkPartition(t, d, p)
	file, err := p.Open(os.O_RDWR)
	require.NoError(t, err)
	defer file.Close()
	_, err = file.WriteAt([]byte("in the partition"), 512)
	require.NoError(t, err)
	require.NoError(t, file.Sync())
	got := make([]byte, 16)
	_, err = f.ReadAt(got, 2*mib+512)
	require.NoError(t, err)
	require.Equal(t, "in the partition", string(got))
}

func TestMountPartition(t *testing.T) {
	fixture.RequireLoop(t)
	fixture.RequireFS(t, "ext4")
	mkfs := fixture.RequireTool(t, "mkfs.ext4")
	d := attach(t, memfd(t, 64*mib), loop.Options{})
	run(t, "label: gpt\n,32M\n", fixture.RequireTool(t, "sfdisk"), d.Path())
	parts, err := d.Partitions(t.Context())
	require.NoError(t, err)
	run(t, "", mkfs, "-q", parts[0].Path())
	dir := t.TempDir()
	require.NoError(t, unix.Mount(parts[0].Path(), dir, "ext4", 0, ""))
	require.NoError(t, os.WriteFile(dir+"/file", []byte("content"), 0o600))

	require.ErrorIs(t, d.DeletePartition(1), loop.ErrBusy)
	require.NoError(t, d.Close())
	require.True(t, bound(t, d.DiskSeq()), "a mount keeps the device")
	require.NoError(t, unix.Unmount(dir, 0))
	requireUnbound(t, d)
}

func TestChangePartitions(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, 16*mib), loop.Options{BlockSize: 4096})
	ctx := t.Context()
	p, err := d.AddPartition(ctx, 1, mib, mib)
	require.NoError(t, err)
	file, err := p.Open(os.O_RDWR)
	require.NoError(t, err)
	larger, err := d.ResizePartition(ctx, 1, 4*mib)
	require.NoError(t, err, "also in use")
	require.Equal(t, extent{1, mib, 4 * mib}, extents([]loop.Partition{larger})[0])
	checkPartition(t, d, larger)
	require.NoError(t, file.Close())
	_, err = d.AddPartition(ctx, 2, 8*mib, mib)
	require.NoError(t, err)

	for _, tc := range []struct {
		name string
		call func() error
		want error
	}{
		{"number 0", func() error { return addError(ctx, d, 0, mib, mib) }, fs.ErrInvalid},
		{"number 256", func() error { return addError(ctx, d, 256, mib, mib) }, fs.ErrInvalid},
		{"negative start", func() error { return addError(ctx, d, 3, -4096, mib) }, fs.ErrInvalid},
		{"start within a block", func() error { return addError(ctx, d, 3, 512, mib) }, fs.ErrInvalid},
		{"size of half a block", func() error { return addError(ctx, d, 3, 12*mib, 2048) }, fs.ErrInvalid},
		{"size 0", func() error { return addError(ctx, d, 3, 12*mib, 0) }, fs.ErrInvalid},
		{"past the end", func() error { return addError(ctx, d, 3, 15*mib, 2*mib) }, loop.ErrPastEnd},
		{"from past the end", func() error { return addError(ctx, d, 3, 17*mib, mib) }, loop.ErrPastEnd},
		{"overflow", func() error { return addError(ctx, d, 3, 4096, 1<<63-4096) }, loop.ErrPastEnd},
		{"overlap", func() error { return addError(ctx, d, 3, 4*mib, mib) }, loop.ErrOverlap},
		{"number in use", func() error { return addError(ctx, d, 2, 12*mib, mib) }, fs.ErrExist},
		{"resize into the next", func() error { _, err := d.ResizePartition(ctx, 1, 8*mib); return err }, loop.ErrOverlap},
		{"resize past the end", func() error { _, err := d.ResizePartition(ctx, 2, 9*mib); return err }, loop.ErrPastEnd},
		{"resize none", func() error { _, err := d.ResizePartition(ctx, 9, mib); return err }, fs.ErrNotExist},
		{"delete none", func() error { return d.DeletePartition(9) }, fs.ErrNotExist},
		{"delete number 0", func() error { return d.DeletePartition(0) }, fs.ErrInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := openFiles(t)
			err := tc.call()
			require.ErrorIs(t, err, tc.want)
			var partition *loop.PartitionError
			require.ErrorAs(t, err, &partition)
			require.Equal(t, d.Name(), partition.Device)
			require.Equal(t, before, openFiles(t))
		})
	}
	require.NoError(t, d.DeletePartition(1))
	parts, err := d.Partitions(ctx)
	require.NoError(t, err)
	require.Equal(t, []extent{{2, 8 * mib, mib}}, extents(parts))
}

func addError(ctx context.Context, d *loop.Device, number int, start, size int64) error {
	_, err := d.AddPartition(ctx, number, start, size)
	return err
}

// All partitions of a table, or none.
func TestTableThatDoesNotFit(t *testing.T) {
	fixture.RequireLoop(t)
	fixture.RequireTool(t, "sfdisk")
	f := memfd(t, 64*mib)
	d := attach(t, f, loop.Options{})
	run(t, "label: dos\n,4M\n,,\n", "sfdisk", "--no-reread", "--no-tell-kernel", d.Path())
	require.NoError(t, d.File().Sync())
	require.NoError(t, d.Close())
	d = attach(t, f, loop.Options{Size: 32 * mib})
	if parts := kernelPartitions(t, d); len(parts) > 0 {
		t.Skip("this kernel has a parser, and its own opinion")
	}
	_, err := d.Partitions(t.Context())
	require.ErrorIs(t, err, loop.ErrPastEnd)
	var partition *loop.PartitionError
	require.ErrorAs(t, err, &partition)
	require.Equal(t, loop.PartitionError{
		Op: "add", Device: d.Name(), Number: 2, Start: 5 * mib, Size: 59 * mib, Err: partition.Err,
	}, *partition)
	require.Empty(t, kernelPartitions(t, d))
}

func TestDamagedTable(t *testing.T) {
	fixture.RequireLoop(t)
	fixture.RequireTool(t, "sfdisk")
	if kernelHasParser(t) {
		t.Skip("this kernel has a parser, and its own opinion")
	}
	for _, tc := range []struct {
		name   string
		damage []int64
		want   error
	}{
		{"primary header", []int64{512 + 20}, nil},
		{"primary entries", []int64{1024 + 40}, nil},
		{"backup header", []int64{16*mib - 512 + 20}, nil},
		{"both headers", []int64{512 + 20, 16*mib - 512 + 20}, loop.ErrTable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := attach(t, memfd(t, 16*mib), loop.Options{})
			run(t, "label: gpt\n,4M\n", "sfdisk", "--no-reread", "--no-tell-kernel", d.Path())
			for _, at := range tc.damage {
				b := make([]byte, 1)
				_, err := d.File().ReadAt(b, at)
				require.NoError(t, err)
				b[0] ^= 0x80
				_, err = d.File().WriteAt(b, at)
				require.NoError(t, err)
			}
			parts, err := d.Partitions(t.Context())
			if tc.want != nil {
				require.ErrorIs(t, err, tc.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []extent{{1, mib, 4 * mib}}, extents(parts))
		})
	}
}

// kernelPartitions lists sysfs.
func kernelPartitions(t *testing.T, d *loop.Device) []string {
	t.Helper()
	entries, err := os.ReadDir("/sys/block/" + d.Name())
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), d.Name()+"p") {
			names = append(names, e.Name())
		}
	}
	return names
}

// kernelHasParser reports whether the kernel finds the partition of a GPT.
func kernelHasParser(t *testing.T) bool {
	t.Helper()
	f := memfd(t, 16*mib)
	d := attach(t, f, loop.Options{})
	run(t, "label: gpt\n,4M\n", "sfdisk", "--no-reread", "--no-tell-kernel", d.Path())
	require.NoError(t, d.File().Sync())
	require.NoError(t, d.Close())
	return len(kernelPartitions(t, attach(t, f, loop.Options{}))) > 0
}

func TestPartitionsOfManyCallers(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, 16*mib), loop.Options{})
	run(t, "label: gpt\n,4M\n,4M\n", fixture.RequireTool(t, "sfdisk"), "--no-reread", "--no-tell-kernel", d.Path())
	results := make(chan error)
	for range 6 {
		go func() {
			parts, err := d.Partitions(context.Background())
			if err == nil && len(parts) != 2 {
				err = errors.New("not two partitions")
			}
			results <- err
		}()
	}
	for range 6 {
		require.NoError(t, <-results)
	}
}

func TestPartitionsHeedTheContext(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, mib), loop.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Partitions(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// LOOP_CLR_FD works through a partition, on the whole device; Open must not
// hand out a Device there. TestOpenRefuses has the cure, this the trap.
func TestPartitionDescriptorReachesTheDevice(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, 4*mib), loop.Options{Persist: true})
	p, err := d.AddPartition(t.Context(), 1, mib, mib)
	require.NoError(t, err)
	f, err := p.Open(os.O_RDONLY)
	require.NoError(t, err)
	_, err = loop.Open(p.Path())
	require.ErrorIs(t, err, loop.ErrNotLoop)
	require.ErrorContains(t, err, "partition of "+d.Name())

	require.NoError(t, unix.IoctlSetInt(int(f.Fd()), unix.LOOP_CLR_FD, 0))
	require.NoError(t, f.Close())
	require.NoError(t, d.Close())
	requireUnbound(t, d)
}

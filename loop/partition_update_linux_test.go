package loop_test

import (
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/loop"
)

func TestUpdatePartitions(t *testing.T) {
	fixture.RequireLoop(t)
	sfdisk := fixture.RequireTool(t, "sfdisk")
	const first = "label: gpt\n1: start=1MiB, size=4MiB\n2: start=5MiB, size=4MiB\n3: start=9MiB, size=4MiB\n"
	for _, tc := range []struct {
		name   string
		script string
		want   []extent
	}{
		{"the same", first, []extent{{1, mib, 4 * mib}, {2, 5 * mib, 4 * mib}, {3, 9 * mib, 4 * mib}}},
		{"one less", "label: gpt\n1: start=1MiB, size=4MiB\n3: start=9MiB, size=4MiB\n",
			[]extent{{1, mib, 4 * mib}, {3, 9 * mib, 4 * mib}}},
		{"one grows into the place of another", "label: gpt\n1: start=1MiB, size=8MiB\n3: start=9MiB, size=4MiB\n",
			[]extent{{1, mib, 8 * mib}, {3, 9 * mib, 4 * mib}}},
		{"one shrinks, the next begins sooner", "label: gpt\n1: start=1MiB, size=1MiB\n2: start=2MiB, size=7MiB\n3: start=9MiB, size=4MiB\n",
			[]extent{{1, mib, mib}, {2, 2 * mib, 7 * mib}, {3, 9 * mib, 4 * mib}}},
		{"two change places", "label: gpt\n1: start=5MiB, size=4MiB\n2: start=1MiB, size=4MiB\n",
			[]extent{{1, 5 * mib, 4 * mib}, {2, mib, 4 * mib}}},
		{"another kind of table", "label: dos\nstart=2MiB, size=4MiB\n", []extent{{1, 2 * mib, 4 * mib}}},
		{"an empty table", "label: gpt\n", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := attach(t, memfd(t, 32*mib), loop.Options{})
			run(t, first, sfdisk, "--no-reread", "--no-tell-kernel", d.Path())
			_, err := d.UpdatePartitions(t.Context())
			require.NoError(t, err)
			run(t, tc.script, sfdisk, "--no-reread", "--no-tell-kernel", "--wipe-partitions=never", d.Path())
			parts, err := d.UpdatePartitions(t.Context())
			require.NoError(t, err)
			require.Equal(t, tc.want, extents(parts))
			require.Len(t, kernelPartitions(t, d), len(tc.want))
			for _, p := range parts {
				checkPartition(t, d, p)
			}
		})
	}
}

func TestUpdatePartitionsInUse(t *testing.T) {
	fixture.RequireLoop(t)
	sfdisk := fixture.RequireTool(t, "sfdisk")
	d := attach(t, memfd(t, 32*mib), loop.Options{})
	change := func(script string) ([]extent, error) {
		run(t, "label: gpt\n"+script, sfdisk, "--no-reread", "--no-tell-kernel", "--force", d.Path())
		parts, err := d.UpdatePartitions(t.Context())
		return extents(parts), err
	}
	_, err := change("1: start=1MiB, size=4MiB\n2: start=5MiB, size=4MiB\n")
	require.NoError(t, err)
	parts, err := d.Partitions(t.Context())
	require.NoError(t, err)
	f, err := parts[0].Open(os.O_RDWR)
	require.NoError(t, err)
	defer f.Close()

	got, err := change("1: start=1MiB, size=2MiB\n2: start=4MiB, size=1MiB\n")
	require.NoError(t, err, "the size may change")
	require.Equal(t, []extent{{1, mib, 2 * mib}, {2, 4 * mib, mib}}, got)

	_, err = change("1: start=2MiB, size=2MiB\n")
	var busy *loop.BusyError
	require.ErrorAs(t, err, &busy, "the start may not")
	require.Equal(t, parts[0].Name, busy.Device)
	require.Len(t, withoutUdev(busy.Holders), 1)
	var partition *loop.PartitionError
	require.ErrorAs(t, err, &partition)
	require.Equal(t, "delete", partition.Op)
	require.NoError(t, f.Close())

	parts, err = d.UpdatePartitions(t.Context())
	require.NoError(t, err)
	require.Equal(t, []extent{{1, 2 * mib, 2 * mib}}, extents(parts))
}

func TestUpdatePartitionsOfDamagedTable(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, 16*mib), loop.Options{})
	run(t, "label: gpt\n,4M\n", fixture.RequireTool(t, "sfdisk"), "--no-reread", "--no-tell-kernel", d.Path())
	parts, err := d.UpdatePartitions(t.Context())
	require.NoError(t, err)
	for _, at := range []int64{512, 16*mib - 512} {
		_, err := d.File().WriteAt([]byte("no such header"), at)
		require.NoError(t, err)
	}
	_, err = d.UpdatePartitions(t.Context())
	require.ErrorIs(t, err, loop.ErrTable)
	again, err := d.Partitions(t.Context())
	require.NoError(t, err)
	require.Equal(t, parts, again, "nothing has changed")
	require.NoError(t, d.Close())
	_, err = d.UpdatePartitions(t.Context())
	require.ErrorIs(t, err, fs.ErrClosed)
}

package fat

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// checkLayout holds a layout against what a driver makes of its boot sector.
func checkLayout(t *testing.T, l layout) {
	t.Helper()
	least, most := l.typ.clusters()
	require.GreaterOrEqual(t, l.clusters, least, "%+v", l)
	require.LessOrEqual(t, l.clusters, most, "%+v", l)
	require.Equal(t, l.clusters, (l.sectors-l.dataStart())/l.perCluster, "clusters that a driver counts: %+v", l)
	bits := (l.clusters + 2) * int64(l.typ)
	require.GreaterOrEqual(t, l.table*l.sectorSize*8, bits, "%+v", l)
	require.Less(t, (l.table-1)*l.sectorSize*8, bits, "table is a sector too long: %+v", l)
	require.LessOrEqual(t, l.sectors, int64(1)<<32-1)
	require.Less(t, l.reserved, int64(1)<<16)
	if l.sectors > alignFrom {
		require.Zero(t, l.dataStart()*l.sectorSize%min(l.clusterSize(), alignment), "%+v", l)
	}
}

// Every size has a layout that adds up, and more room never means fewer clusters
// of a size.
func TestArrange(t *testing.T) {
	for _, ss := range []int64{512, 1024, 2048, 4096} {
		for _, typ := range []Type{FAT12, FAT16, FAT32} {
			for cs := ss; cs <= maxClusterSize; cs *= 2 {
				c := choice{typ, cs}
				least, most := typ.clusters()
				for _, around := range []int64{least, least + 100, 1000, most - 100, most} {
					l, ok := c.smallest(ss, defaultRootEntries, around)
					if !ok {
						continue
					}
					checkLayout(t, l)
					last := int64(0)
					for n := max(1, l.sectors-300); n < l.sectors+300; n++ {
						if n > 1<<32-1 {
							break
						}
						l, ok := c.arrange(ss, n, defaultRootEntries, 0)
						if !ok {
							continue
						}
						checkLayout(t, l)
						require.Equal(t, n, l.sectors)
						if n != alignFrom+1 {
							require.GreaterOrEqual(t, l.clusters, last)
						}
						last = l.clusters
					}
				}
			}
		}
	}
}

// A volume with one cluster more than the type may have is not of the type.
func TestArrangeBoundaries(t *testing.T) {
	for _, tc := range []struct {
		typ  Type
		most int64
	}{{FAT12, 4068}, {FAT16, 65508}} {
		l, ok := choice{tc.typ, 512}.smallest(512, defaultRootEntries, tc.most)
		require.True(t, ok)
		require.Equal(t, tc.most, l.clusters)
		for more := range int64(64) {
			got, ok := choice{tc.typ, 512}.arrange(512, l.sectors+more, defaultRootEntries, 0)
			if more <= 2*margin || more > 2*margin+tables { // the tables may have grown by a sector
				require.Equal(t, more <= 2*margin, ok, more)
			}
			if ok {
				require.Equal(t, tc.most, got.clusters)
				checkLayout(t, got)
			}
		}
		_, ok = choice{tc.typ, 512}.smallest(512, defaultRootEntries, tc.most+1)
		require.False(t, ok)
	}
}

// Clusters of 64 KiB, which fatgen103 does without, come last.
func TestSmallestClusters(t *testing.T) {
	tr := filetree.New()
	_, err := tr.Add("big", filetree.Entry{Size: 200 << 20})
	require.NoError(t, err)
	c, err := scan(tr, false, false)
	require.NoError(t, err)
	for _, tc := range []struct {
		fs   FileSystem
		want choice
	}{
		{FileSystem{}, choice{FAT16, 32 << 10}},
		{FileSystem{Type: FAT32}, choice{FAT32, 2 << 10}},
		{FileSystem{Type: FAT12}, choice{FAT12, 64 << 10}},
		{FileSystem{ClusterSize: 64 << 10}, choice{FAT12, 64 << 10}},
	} {
		l, err := tc.fs.layout(volume.Geometry{SectorSize: 512}, c)
		require.NoError(t, err)
		require.Equal(t, tc.want, choice{l.typ, l.clusterSize()})
	}
}

// What fits in a size fits in every larger one.
func TestLayoutFitsLarger(t *testing.T) {
	for _, fs := range []FileSystem{{}, {Type: FAT12}, {Type: FAT16}, {Type: FAT32}, {ClusterSize: 4096}} {
		tr := filetree.New()
		for i := range 300 {
			_, err := tr.Add(fmt.Sprintf("d%d/a long file name %d", i%7, i), filetree.Entry{Size: int64(i) * 601})
			require.NoError(t, err)
		}
		c, err := scan(tr, false, true)
		require.NoError(t, err)
		smallest, err := fs.layout(volume.Geometry{SectorSize: 512}, c)
		require.NoError(t, err)
		checkLayout(t, smallest)
		for _, n := range []int64{1, 2, 8, 64, 100, 1000, 1001, 2000, 4000, 8000, 16001, 40000, 100000, 1 << 20, 1 << 24} {
			if fs.Type == FAT12 && n > 100000 || fs.Type == FAT16 && n > 1<<20 {
				continue
			}
			l, err := fs.layout(volume.Geometry{SectorSize: 512, Size: (smallest.sectors + n) * 512}, c)
			require.NoError(t, err, "%v with %d sectors more than %d", fs.Type, n, smallest.sectors)
			checkLayout(t, l)
			require.GreaterOrEqual(t, l.clusters, c.need(choice{l.typ, l.clusterSize()}))
			if l.typ != FAT32 {
				require.GreaterOrEqual(t, l.rootEntries(), c.rootEntries())
			}
		}
		if fs.Type == FAT12 {
			_, err := fs.layout(volume.Geometry{SectorSize: 512, Size: 1 << 29}, c)
			require.ErrorIs(t, err, ErrTooLarge)
			require.EqualError(t, err, "fat: volume of 536870912 bytes: too large for FAT: want at most 266665984 for FAT12 with clusters of 65536 bytes")
		}
		_, err = fs.layout(volume.Geometry{SectorSize: 512, Size: (smallest.sectors - 1) * 512}, c)
		var short *volume.SizeError
		require.ErrorAs(t, err, &short)
		require.Equal(t, volume.SizeError{Format: "vfat", Size: (smallest.sectors - 1) * 512, Need: smallest.sectors * 512, Resource: "bytes"}, *short)
	}
}

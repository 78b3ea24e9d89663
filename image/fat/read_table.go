package fat

import (
	"sync"

	"github.com/drivebay/drivebay/image/internal/rofs"
)

// firstCluster is the number of the first cluster.
const firstCluster = 2

// tableWindow is how much of the file allocation table is read at a time, in bytes:
// all that FAT12 can have.
const tableWindow = 16 << 10

// tableCache remembers windows of the table, each in the one slot that it has.
type tableCache struct {
	mu    sync.Mutex
	slots [64]struct {
		window int64
		b      []byte
	}
}

// tableEntry returns the entry of a cluster: the one that follows it, 0 for a free
// one, or from [readVolume.badMark] on, a mark.
func (v *readVolume) tableEntry(cluster uint32) (uint32, error) {
	at := int64(cluster) * int64(v.typ) / 8
	b, err := v.tableBytes(at)
	if err != nil {
		return 0, err
	}
	switch v.typ {
	case FAT12:
		return uint32(le.Uint16(b)>>(cluster%2*4)) & 0xfff, nil
	case FAT16:
		return uint32(le.Uint16(b)), nil
	}
	return le.Uint32(b) & 0x0fffffff, nil
}

// badMark is the entry of a bad cluster. Those above it are the end of a chain.
func (v *readVolume) badMark() uint32 { return uint32(1)<<min(v.typ, 28) - 9 }

// tableBytes returns the bytes of the table from a place on.
func (v *readVolume) tableBytes(at int64) ([]byte, error) {
	window, off := at/tableWindow, at%tableWindow
	c := &v.table
	c.mu.Lock()
	defer c.mu.Unlock()
	slot := &c.slots[window%int64(len(c.slots))]
	if slot.b == nil || slot.window != window {
		size := min(tableWindow, v.typ.tableBytes(v.clusters)-window*tableWindow)
		b := make([]byte, size)
		if err := v.readAt(b, v.tableAt+window*tableWindow, "the file allocation table"); err != nil {
			return nil, err
		}
		slot.window, slot.b = window, b
	}
	return slot.b[off:], nil
}

// chain calls fn for each cluster of a chain. fn tells whether to go on.
func (v *readVolume) chain(first uint32, fn func(cluster uint32) bool) error {
	cluster, seen, steps, turn := first, uint32(0), 0, 1
	for {
		if cluster < firstCluster || int64(cluster) >= v.clusters+firstCluster {
			return damaged("chain of cluster %d has cluster %d: want %d to %d", first, cluster, firstCluster, v.clusters+firstCluster-1)
		}
		if cluster == seen {
			return damaged("chain of cluster %d comes back to cluster %d", first, cluster)
		}
		// A cluster that is remembered for twice as long each time is met again
		// in any circle (Brent's algorithm).
		if steps++; steps == turn {
			seen, steps, turn = cluster, 0, 2*turn
		}
		if !fn(cluster) {
			return nil
		}
		next, err := v.tableEntry(cluster)
		if err != nil {
			return err
		}
		if next > v.badMark() {
			return nil
		}
		cluster = next
	}
}

// clusterAt returns where a cluster is, in bytes.
func (v *readVolume) clusterAt(cluster uint32) int64 {
	return v.dataAt + int64(cluster-firstCluster)*v.clusterSize
}

// fileRuns returns where the content of a file of size bytes is.
func (v *readVolume) fileRuns(first uint32, size int64) (runs []rofs.Run, err error) {
	if size == 0 {
		return nil, nil
	}
	need := ceil(size, v.clusterSize)
	n := int64(0)
	err = v.chain(first, func(cluster uint32) bool {
		runs = rofs.AppendRun(runs, rofs.Run{Offset: n * v.clusterSize, At: v.clusterAt(cluster), Length: v.clusterSize})
		n++
		return n < need
	})
	if err == nil && n < need {
		err = damaged("file of %d bytes has %d clusters, from %d on: want %d", size, n, first, need)
	}
	return runs, err
}

// dirRuns returns where a directory is, which ends with its chain.
func (v *readVolume) dirRuns(first uint32) (runs []rofs.Run, err error) {
	size := int64(0)
	err = v.chain(first, func(cluster uint32) bool {
		runs = rofs.AppendRun(runs, rofs.Run{Offset: size, At: v.clusterAt(cluster), Length: v.clusterSize})
		size += v.clusterSize
		return size <= maxDirEntries*entrySize
	})
	if err == nil && size > max(maxDirEntries*entrySize, v.clusterSize) {
		err = damaged("directory in cluster %d has more than %d bytes", first, maxDirEntries*entrySize)
	}
	return runs, err
}

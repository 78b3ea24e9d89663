package output

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Compression is how the clusters of a [QCOW2] file are compressed.
type Compression int

// The ways to compress clusters.
const (
	// CompressNone leaves them as they are.
	CompressNone Compression = iota
	// CompressZlib is deflate with a window of 4 KiB, as QEMU's own: what every
	// reader of qcow2 knows.
	CompressZlib
	// CompressZstd is zstd, which QEMU reads from 5.1. It takes less time and
	// less room.
	CompressZstd
)

// String returns the name that qemu-img has for it: "none", "zlib", "zstd".
func (c Compression) String() string {
	switch c {
	case CompressNone:
		return "none"
	case CompressZlib:
		return "zlib"
	case CompressZstd:
		return "zstd"
	}
	return "unknown"
}

// QCOW2Options are the options of [NewQCOW2]. The zero value will do.
type QCOW2Options struct {
	// Compression is how clusters are compressed. Zero is not at all.
	Compression Compression
	// ClusterSize is the unit of allocation in bytes, a power of two from 512 to
	// 2 MiB. Zero is 64 KiB.
	ClusterSize int64
	// LazyRefcounts lets a virtual machine that uses the file put off the upkeep
	// of its reference counts (compatible feature bit 0).
	LazyRefcounts bool
	// Workers is how many CPUs compress. Zero is all, up to 8. The file does not
	// depend on it.
	Workers int
}

// Bits of table entries and of the header (docs/interop/qcow2.txt).
const (
	qcow2Copied          = 1 << 63 // the cluster's reference count is one
	qcow2Compressed      = 1 << 62
	qcow2LazyRefcounts   = 1 << 0 // compatible feature
	qcow2CompressionType = 1 << 3 // incompatible feature: the type is not deflate
	qcow2HeaderSize      = 112
	qcow2RefcountSize    = 2 // bytes of a reference count
	qcow2RefcountOrder   = 4 // the same, as the header has it
	qcow2MaxRefcount     = 1<<16 - 1
	qcow2MaxL1           = 32 << 20 // bytes; QEMU takes no larger one (block/qcow2.h)
)

// QCOW2 writes a disk as a qcow2 file of version 3. Clusters that nothing is
// written to take no room. The file is written front to back, but for its header
// and for what is left of a cluster that compressed clusters share.
type QCOW2 struct {
	qcow2File
	packer *packer // nil where nothing is compressed
	packed packedRun
	closed bool
}

// NewQCOW2 returns a writer of a disk of size bytes, a multiple of 512, to f.
func NewQCOW2(f File, size int64, o QCOW2Options) (*QCOW2, error) {
	if o.ClusterSize == 0 {
		o.ClusterSize = 64 << 10
	}
	if o.Compression < CompressNone || o.Compression > CompressZstd {
		return nil, &OptionError{"qcow2", "compression", int(o.Compression), "none, zlib or zstd"}
	}
	if o.ClusterSize < 512 || o.ClusterSize > 2<<20 || o.ClusterSize&(o.ClusterSize-1) != 0 {
		return nil, &OptionError{"qcow2", "cluster size", o.ClusterSize, "a power of two from 512 to 2097152"}
	}
	perL2 := o.ClusterSize / 8
	if limit := qcow2MaxL1 / 8 * perL2 * o.ClusterSize; size <= 0 || size%sectorSize != 0 || size > limit {
		return nil, &OptionError{"qcow2", "size", size, fmt.Sprintf("a multiple of 512, from 512 to %d with clusters of %d", limit, o.ClusterSize)}
	}
	clusters := ceilDiv(size, o.ClusterSize)
	q := &QCOW2{qcow2File: qcow2File{
		f: f, size: size, options: o, cluster: o.ClusterSize, bits: bits.TrailingZeros64(uint64(o.ClusterSize)),
		l1: make([]uint64, ceilDiv(clusters, perL2)), l2: make([]uint64, perL2), l2Index: -1,
	}}
	q.allocate(1) // the header
	if o.Compression != CompressNone {
		if o.Workers <= 0 {
			o.Workers = defaultWorkers()
		}
		pack, err := clusterPacker(o)
		if err != nil {
			return nil, err
		}
		q.packer = newPacker(size, o.ClusterSize, o.Workers, pack, q.put)
	}
	return q, nil
}

// WriteAt takes bytes of the disk.
func (q *QCOW2) WriteAt(p []byte, off int64) (int, error) {
	if err := checkRange("qcow2", len(p), off, q.size); err != nil {
		return 0, err
	}
	if q.closed {
		return 0, errFinished
	}
	if q.packer != nil {
		return q.packer.WriteAt(p, off)
	}
	n := 0
	for n < len(p) {
		k, err := q.writeCluster(p[n:], off+int64(n))
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// writeCluster writes what of p is in one cluster.
func (q *QCOW2) writeCluster(p []byte, off int64) (int, error) {
	index, in := off/q.cluster, off%q.cluster
	entry, err := q.entry(index)
	if err != nil {
		return 0, err
	}
	if *entry == 0 {
		*entry = uint64(q.allocate(1)) | qcow2Copied
	}
	host := int64(*entry &^ qcow2Copied)
	return q.f.WriteAt(p[:min(int64(len(p)), q.cluster-in)], host+in)
}

// put writes a cluster that has been compressed, or where that made it no smaller,
// as it is.
func (q *QCOW2) put(b *block) error {
	entry, err := q.entry(b.index)
	if err != nil {
		return err
	}
	if int64(len(b.packed)) >= q.cluster {
		host := q.allocate(1)
		*entry = uint64(host) | qcow2Copied
		_, err := q.f.WriteAt(b.data, host)
		return err
	}
	at := q.place(int64(len(b.packed)))
	// Behind the offset stands the number of further sectors that are touched.
	sectors := (at+int64(len(b.packed))-1)/sectorSize - at/sectorSize
	*entry = uint64(at) | uint64(sectors)<<(62-(q.bits-8)) | qcow2Compressed
	_, err = q.f.WriteAt(b.packed, at)
	return err
}

// packedRun is the room that compressed clusters share: from at, which need not be
// on a boundary, to end, which is on one.
type packedRun struct{ at, end int64 }

// place finds room for n bytes, less than a cluster, that may begin anywhere, and
// counts the references to the clusters in which they lie.
func (q *QCOW2) place(n int64) int64 {
	r := &q.packed
	last := r.end/q.cluster - 1
	full := r.end > 0 && q.refcounts[last] == qcow2MaxRefcount
	switch left := r.end - r.at; {
	case left >= n && !full:
	case left > 0 && !full && r.end == q.end():
		r.end = q.allocate(1) + q.cluster
		q.refcounts[r.end/q.cluster-1] = 0 // it is not yet used
	default:
		r.at = q.allocate(1)
		r.end = r.at + q.cluster
		q.refcounts[r.at/q.cluster] = 0
	}
	at := r.at
	r.at += n
	for c := at / q.cluster; c <= (r.at-1)/q.cluster; c++ {
		q.refcounts[c]++
	}
	return at
}

// Finish writes the tables and the header.
func (q *QCOW2) Finish() error {
	if q.closed {
		return errFinished
	}
	q.closed = true
	if q.packer != nil {
		if err := q.packer.finish(); err != nil {
			return err
		}
	}
	return q.finish()
}

// Close ends the writer's goroutines.
func (q *QCOW2) Close() error {
	q.closed = true
	if q.packer != nil {
		q.packer.close()
	}
	return nil
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

var be = binary.BigEndian

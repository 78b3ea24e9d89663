package output

// qcow2File is the file with its tables: L1, which finds the L2 tables, L2, which
// find clusters, and the reference counts of all of them.
type qcow2File struct {
	f       File
	size    int64 // of the disk
	options QCOW2Options
	cluster int64 // bytes
	bits    int   // the binary logarithm of cluster

	l1        []uint64
	l2        []uint64 // the one that is filled
	l2Index   int64    // where in L1 it belongs, -1 for none
	refcounts []uint16 // of all clusters that are allocated
}

// end returns the offset behind the last cluster.
func (q *qcow2File) end() int64 { return int64(len(q.refcounts)) * q.cluster }

// allocate returns the offset of n new clusters.
func (q *qcow2File) allocate(n int64) int64 {
	at := q.end()
	for range n {
		q.refcounts = append(q.refcounts, 1)
	}
	return at
}

// entry returns the L2 entry of a cluster of the disk. Clusters only rise, so that
// an L2 table is complete when one is asked for that is not in it.
func (q *qcow2File) entry(index int64) (*uint64, error) {
	perL2 := int64(len(q.l2))
	if index/perL2 < q.l2Index {
		return nil, errBackwards
	}
	if index/perL2 > q.l2Index {
		if err := q.flush(); err != nil {
			return nil, err
		}
		q.l2Index = index / perL2
	}
	return &q.l2[index%perL2], nil
}

// flush writes the L2 table that is filled, and begins another one.
func (q *qcow2File) flush() error {
	if q.l2Index < 0 {
		return nil
	}
	at, err := q.appendTable(q.l2)
	if err != nil {
		return err
	}
	q.l1[q.l2Index] = uint64(at) | qcow2Copied
	clear(q.l2)
	return nil
}

// appendTable writes a table to clusters of its own.
func (q *qcow2File) appendTable(table []uint64) (at int64, err error) {
	b := make([]byte, 0, len(table)*8)
	for _, entry := range table {
		b = be.AppendUint64(b, entry)
	}
	at = q.allocate(ceilDiv(int64(len(b)), q.cluster))
	_, err = q.f.WriteAt(b, at)
	return at, err
}

// finish writes what is left of the tables, then the reference counts, which
// count their own clusters, and at last the header, without which nothing takes
// the file for a disk.
func (q *qcow2File) finish() error {
	if err := q.flush(); err != nil {
		return err
	}
	l1, err := q.appendTable(q.l1)
	if err != nil {
		return err
	}
	table, clusters, err := q.writeRefcounts()
	if err != nil {
		return err
	}
	if err := q.f.Truncate(q.end()); err != nil {
		return err
	}
	_, err = q.f.WriteAt(q.header(l1, table, clusters), 0)
	return err
}

// writeRefcounts writes the blocks of reference counts and the table that finds
// them, and returns its place and its size in clusters.
func (q *qcow2File) writeRefcounts() (at, clusters int64, err error) {
	perBlock := q.cluster / qcow2RefcountSize
	used := int64(len(q.refcounts))
	blocks := int64(0)
	for blocks*perBlock < used+blocks+clusters {
		blocks++
		clusters = ceilDiv(blocks*8, q.cluster)
	}
	first := q.allocate(blocks)
	at = q.allocate(clusters)

	b := make([]byte, 0, blocks*q.cluster)
	for _, n := range q.refcounts {
		b = be.AppendUint16(b, n)
	}
	if _, err := q.f.WriteAt(b, first); err != nil {
		return 0, 0, err
	}
	table := make([]byte, 0, blocks*8)
	for i := range blocks {
		table = be.AppendUint64(table, uint64(first+i*q.cluster))
	}
	_, err = q.f.WriteAt(table, at)
	return at, clusters, err
}

// header returns the header of version 3, without extensions.
func (q *qcow2File) header(l1, refcountTable, refcountClusters int64) []byte {
	incompatible, compatible := uint64(0), uint64(0)
	kind := byte(0) // deflate, also where nothing is compressed
	if q.options.Compression == CompressZstd {
		incompatible |= qcow2CompressionType
		kind = 1
	}
	if q.options.LazyRefcounts {
		compatible |= qcow2LazyRefcounts
	}
	b := []byte("QFI\xfb")
	b = be.AppendUint32(b, 3)
	b = be.AppendUint64(b, 0) // no backing file
	b = be.AppendUint32(b, 0)
	b = be.AppendUint32(b, uint32(q.bits))
	b = be.AppendUint64(b, uint64(q.size))
	b = be.AppendUint32(b, 0) // not encrypted
	b = be.AppendUint32(b, uint32(len(q.l1)))
	b = be.AppendUint64(b, uint64(l1))
	b = be.AppendUint64(b, uint64(refcountTable))
	b = be.AppendUint32(b, uint32(refcountClusters))
	b = be.AppendUint32(b, 0) // no snapshots
	b = be.AppendUint64(b, 0)
	b = be.AppendUint64(b, incompatible)
	b = be.AppendUint64(b, compatible)
	b = be.AppendUint64(b, 0) // autoclear features
	b = be.AppendUint32(b, qcow2RefcountOrder)
	b = be.AppendUint32(b, qcow2HeaderSize)
	b = append(b, kind)
	b = append(b, make([]byte, qcow2HeaderSize-len(b))...)
	return append(b, make([]byte, 8)...) // the end of the header extensions
}

package output

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// ErrNotQCOW2 reports a file that is no qcow2.
var ErrNotQCOW2 = errors.New("file is not a qcow2")

// QCOW2Reader reads a disk from a qcow2 file of version 2 or 3 that stands for
// itself: one without a backing file, an external data file, encryption and extended
// L2 entries. It may be used by several goroutines, of which one reads at a time.
type QCOW2Reader struct {
	r       io.ReaderAt
	size    int64
	bits    int
	cluster int64 // bytes
	l1      []uint64
	zstd    *zstd.Decoder // nil where clusters are compressed by deflate

	mu     sync.Mutex
	l2At   int64 // where the table begins that is in l2, 0 for none
	l2     []uint64
	packed uint64 // the L2 entry of the cluster that is unpacked, 0 for none
	data   []byte // what is in it
}

// Features of a file (docs/interop/qcow2.txt) that are no hindrance to reading it.
const (
	qcow2Dirty     = 1 << 0 // reference counts may be wrong
	qcow2OffsetMax = 1<<56 - 1
)

// NewQCOW2Reader returns a reader of a file. It may be anybody's: what makes no
// sense, or is not read here, is an error. It has to be closed.
func NewQCOW2Reader(r io.ReaderAt) (*QCOW2Reader, error) {
	h := make([]byte, qcow2HeaderSize)
	if n, err := r.ReadAt(h, 0); err != nil && (!errors.Is(err, io.EOF) || n < 72) {
		if errors.Is(err, io.EOF) {
			err = ErrNotQCOW2
		}
		return nil, err
	}
	if string(h[:4]) != "QFI\xfb" {
		return nil, ErrNotQCOW2
	}
	version := be.Uint32(h[4:])
	if version == 2 {
		clear(h[72:]) // what it does not have
	}
	q := &QCOW2Reader{r: r, size: int64(be.Uint64(h[24:])), bits: int(min(be.Uint32(h[20:]), 64))}
	features := be.Uint64(h[72:])
	switch {
	case version != 2 && version != 3:
		return nil, fmt.Errorf("qcow2: version %d: want 2 or 3", version)
	case be.Uint64(h[8:]) != 0:
		return nil, errors.New("qcow2: it has a backing file: want one that stands for itself")
	case be.Uint32(h[32:]) != 0:
		return nil, errors.New("qcow2: it is encrypted: want one that is not")
	case features&^(qcow2Dirty|qcow2CompressionType) != 0:
		return nil, fmt.Errorf("qcow2: incompatible features %#x: want none but %#x", features, qcow2Dirty|qcow2CompressionType)
	case features&qcow2CompressionType != 0 && h[104] != 1:
		return nil, fmt.Errorf("qcow2: compression type %d: want 0 or 1", h[104])
	case q.bits < 9 || q.bits > 21:
		return nil, fmt.Errorf("qcow2: clusters of 2^%d bytes: want 2^9 to 2^21", q.bits)
	}
	q.cluster = 1 << q.bits
	if err := q.readL1(int64(be.Uint32(h[36:])), be.Uint64(h[40:])); err != nil {
		return nil, err
	}
	if features&qcow2CompressionType != 0 {
		var err error
		if q.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrame)); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// readL1 reads the table of tables.
func (q *QCOW2Reader) readL1(entries int64, at uint64) (err error) {
	perTable := q.cluster / 8
	if q.size < 0 || q.size > qcow2MaxL1/8*perTable*q.cluster {
		return fmt.Errorf("qcow2: size %d: want 0 to %d with clusters of %d", uint64(q.size), qcow2MaxL1/8*perTable*q.cluster, q.cluster)
	}
	need := ceilDiv(ceilDiv(q.size, q.cluster), perTable)
	if entries < need || at > qcow2OffsetMax {
		return fmt.Errorf("qcow2: L1 table of %d entries at %d: want %d", entries, at, need)
	}
	if q.l1, err = q.readTable(int64(at), need); err != nil {
		return fmt.Errorf("qcow2: L1 table at %d: %w", at, err)
	}
	return nil
}

// readTable reads entries, a piece at a time: a file may say that there are more
// than it has.
func (q *QCOW2Reader) readTable(at, entries int64) (table []uint64, err error) {
	b := make([]byte, 64<<10)
	for entries > 0 {
		n := min(entries, int64(len(b)/8))
		if _, err := q.r.ReadAt(b[:n*8], at); err != nil {
			return nil, err
		}
		for i := range n {
			table = append(table, be.Uint64(b[i*8:]))
		}
		at, entries = at+n*8, entries-n
	}
	return table, nil
}

// Size returns the size of the disk in bytes.
func (q *QCOW2Reader) Size() int64 { return q.size }

// Close gives up the reader's memory. The file stays open.
func (q *QCOW2Reader) Close() error {
	if q.zstd != nil {
		q.zstd.Close()
	}
	return nil
}

// ReadAt reads from the disk.
func (q *QCOW2Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("qcow2: read at offset %d: want at least 0", off)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for n < len(p) && off < q.size {
		in := off & (q.cluster - 1)
		k := int(min(int64(len(p)-n), q.cluster-in, q.size-off))
		if err := q.readCluster(p[n:n+k], off>>q.bits, in); err != nil {
			return n, fmt.Errorf("qcow2: cluster %d: %w", off>>q.bits, err)
		}
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readCluster reads from offset in of a cluster.
func (q *QCOW2Reader) readCluster(p []byte, index, in int64) error {
	entry, err := q.entry(index)
	if err != nil {
		return err
	}
	const zero = 1 << 0 // the cluster reads as zeros, whatever is in it
	switch host := int64(entry & qcow2OffsetMax &^ (sectorSize - 1)); {
	case entry&qcow2Compressed != 0:
		if err := q.unpack(entry); err != nil {
			return err
		}
		copy(p, q.data[in:])
		return nil
	case entry&zero != 0 || host == 0:
		clear(p)
		return nil
	default:
		return readFull(q.r, p, host+in)
	}
}

// readFull reads, and takes what is behind the end of a file for zeros, as QEMU
// does: the last cluster need not be whole.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	clear(p[n:])
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// entry returns the L2 entry of a cluster, 0 where there is no table.
func (q *QCOW2Reader) entry(index int64) (uint64, error) {
	perTable := q.cluster / 8
	at := int64(q.l1[index/perTable] & qcow2OffsetMax &^ (sectorSize - 1))
	if at == 0 {
		return 0, nil
	}
	if at != q.l2At {
		table, err := q.readTable(at, perTable)
		if err != nil {
			return 0, fmt.Errorf("L2 table at %d: %w", at, err)
		}
		q.l2, q.l2At = table, at
	}
	return q.l2[index%perTable], nil
}

// unpack unpacks a compressed cluster.
func (q *QCOW2Reader) unpack(entry uint64) error {
	if entry == q.packed {
		return nil
	}
	shift := 62 - (q.bits - 8)
	at := int64(entry & (1<<shift - 1))
	sectors := int64(entry&^(qcow2Copied|qcow2Compressed))>>shift + 1
	packed := make([]byte, sectors*sectorSize-at%sectorSize)
	if err := readFull(q.r, packed, at); err != nil {
		return err
	}
	if q.data == nil {
		q.data = make([]byte, q.cluster)
	}
	q.packed = 0
	var unpacked io.Reader = flate.NewReader(bytes.NewReader(packed))
	if q.zstd != nil {
		if err := q.zstd.Reset(bytes.NewReader(packed)); err != nil {
			return err
		}
		unpacked = q.zstd
	}
	if _, err := io.ReadFull(unpacked, q.data); err != nil {
		return fmt.Errorf("%d compressed bytes at %d: %w", len(packed), at, err)
	}
	q.packed = entry
	return nil
}

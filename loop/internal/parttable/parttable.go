// Package parttable reads the partitions of a GPT (UEFI 2.10, 5.3) or an MBR
// (UEFI 2.10, 5.2.1) for kernels that have no parser of their own, and decides
// the doubtful cases as the Linux kernel does (block/partitions/efi.c and
// msdos.c), but for one thing: where the kernel drops a partition in silence,
// this is an error.
package parttable

import (
	"errors"
	"fmt"
	"io"
)

// MaxNumber is the highest number a partition can have in Linux.
const MaxNumber = 255

// Entry is one partition; Start and Size are bytes.
type Entry struct {
	Number      int
	Start, Size int64
}

// ErrDamaged says that there is a table, and that it cannot be believed.
var ErrDamaged = errors.New("damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Read returns the partitions of a disk of size bytes in the order of their
// numbers. blockSize is the logical block size, the unit of both tables. A disk
// without a table gives none.
func Read(r io.ReaderAt, size int64, blockSize int) ([]Entry, error) {
	if blockSize < mbrSize || blockSize > 1<<16 || blockSize&(blockSize-1) != 0 {
		return nil, fmt.Errorf("block size %d: want a power of two from %d to %d", blockSize, mbrSize, 1<<16)
	}
	d := disk{r: r, size: size - size%int64(blockSize), blockSize: int64(blockSize)}
	if d.size < d.blockSize {
		return nil, nil
	}
	head := make([]byte, min(d.size, 2*d.blockSize+usualArray))
	if err := d.readAt(head, 0); err != nil {
		return nil, err
	}
	d.head = head
	m, ok := parseMBR(head)
	switch {
	case !ok:
		return nil, nil
	case m.protective():
		return d.gpt()
	}
	return d.mbr(m)
}

// disk is a disk being read.
type disk struct {
	r         io.ReaderAt
	size      int64 // bytes, a multiple of blockSize
	blockSize int64
	head      []byte // the first bytes
}

// blocks returns the number of blocks.
func (d *disk) blocks() uint64 { return uint64(d.size / d.blockSize) }

// usualArray is the size of the partition entries of nearly every GPT. They lie
// right behind the header: one read gets both, and on a fresh loop device it is
// the reads that take the time.
const usualArray = 128 * 128

// readAt fills b from the byte offset off.
func (d *disk) readAt(b []byte, off int64) error {
	if off+int64(len(b)) <= int64(len(d.head)) {
		copy(b, d.head[off:])
		return nil
	}
	n, err := d.r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes of the partition table at %d: %w", len(b), off, err)
}

// entry makes an Entry of a range of blocks on the disk.
func (d *disk) entry(number int, start, count uint64) (Entry, error) {
	if number > MaxNumber {
		return Entry{}, damaged("partition %d: numbers end at %d", number, MaxNumber)
	}
	e := Entry{number, 0, 0}
	const limit = 1 << 62
	if start > limit/uint64(d.blockSize) || count > limit/uint64(d.blockSize) {
		return Entry{}, damaged("partition %d: block %d and %d more are beyond every disk", number, start, count)
	}
	e.Start, e.Size = int64(start)*d.blockSize, int64(count)*d.blockSize
	return e, nil
}

package iso9660

import (
	"encoding/binary"
	"time"
)

// Flags of directory records (ECMA-119, 9.1.6).
const (
	flagDirectory = 0x02
	flagMore      = 0x80 // another extent of the file is in the next record
)

// extent is a run of blocks, of which so many bytes are in use.
type extent struct{ block, size uint32 }

// recordLen is the length of a directory record without its identifier, and
// maxRecord that of the longest, which is even.
const (
	recordLen = 33
	maxRecord = 254
)

// appendRecord appends a directory record without system use, to which the
// caller may add some (ECMA-119, 9.1).
func appendRecord(b []byte, id string, at extent, made time.Time, flags byte) []byte {
	b = append(b, byte(paddedRecord(id)), 0)
	b = appendBoth(b, at.block)
	b = appendBoth(b, at.size)
	b = appendTime(b, made)
	b = append(b, flags, 0, 0, 1, 0, 0, 1, byte(len(id))) // volume 1 of a set of 1
	b = append(b, id...)
	if len(id)%2 == 0 {
		b = append(b, 0)
	}
	return b
}

// paddedRecord returns the length of a record without system use.
func paddedRecord(id string) int { return (recordLen + len(id) + 1) &^ 1 }

// dirWriter makes the extent of a directory: records, none of which crosses the
// end of a block, and behind them what has no room in them.
type dirWriter struct {
	entries
	records []byte
	more    []byte
	// moreAt is the block at which more is going to be. It is of no matter while
	// lengths are found out.
	moreAt uint32
}

func (w *dirWriter) reset(moreAt uint32) {
	w.records, w.more, w.moreAt = w.records[:0], w.more[:0], moreAt
	w.entries.reset()
}

// add adds a record with the entries there are, which stay.
func (w *dirWriter) add(id string, at extent, made time.Time, flags byte) {
	room := maxRecord - paddedRecord(id)
	inline := w.fitting(0, room)
	whole := inline == w.len()
	if !whole {
		inline = w.fitting(0, room-contLen)
	}
	size := paddedRecord(id) + w.span(0, inline)
	if !whole {
		size += contLen
	}
	size += size % 2
	if left := blockSize - len(w.records)%blockSize; left < size {
		w.records = append(w.records, make([]byte, left)...)
	}
	begin := len(w.records)
	w.records = appendRecord(w.records, id, at, made, flags)
	for i := range inline {
		w.records = append(w.records, w.at(i)...)
	}
	if !whole {
		w.records = w.continuation(w.records, inline)
	}
	if len(w.records)%2 == 1 {
		w.records = append(w.records, 0)
	}
	w.records[begin] = byte(len(w.records) - begin)
}

// continuation writes the entries from the first on to the continuation area, and
// appends the entry to b that says where they are (SUSP 1.12, 5.1). None of its
// parts crosses the end of a block, which Linux would refuse.
func (w *dirWriter) continuation(b []byte, first int) []byte {
	room := blockSize - len(w.more)%blockSize
	if w.fitting(first, room) < w.len()-first && w.fitting(first, room-contLen) == 0 {
		w.more = append(w.more, make([]byte, room)...)
		room = blockSize
	}
	n := w.fitting(first, room)
	if first+n < w.len() {
		n = w.fitting(first, room-contLen)
	}
	begin := len(w.more)
	for i := range n {
		w.more = append(w.more, w.at(first+i)...)
	}
	size := len(w.more) - begin
	if first+n < w.len() {
		size += contLen
		next := len(w.more)
		w.more = append(w.more, make([]byte, contLen)...)
		link := w.continuation(nil, first+n)
		copy(w.more[next:], link)
	}
	b = append(b, 'C', 'E', contLen, 1)
	b = appendBoth(b, w.moreAt+uint32(begin/blockSize))
	b = appendBoth(b, uint32(begin%blockSize))
	return appendBoth(b, uint32(size))
}

// fitting returns how many of the entries from the first on fit.
func (w *dirWriter) fitting(first, room int) int {
	n := 0
	for first+n < w.len() && w.span(first, n+1) <= room {
		n++
	}
	return n
}

// span returns the length of n entries from the first on.
func (w *dirWriter) span(first, n int) int {
	if n == 0 {
		return 0
	}
	begin := 0
	if first > 0 {
		begin = w.ends[first-1]
	}
	return w.ends[first+n-1] - begin
}

// appendPathRecord appends a record of a path table, whose numbers are in the
// order that is given (ECMA-119, 9.4).
func appendPathRecord(b []byte, order binary.AppendByteOrder, id string, block uint32, parent uint16) []byte {
	b = append(b, byte(len(id)), 0)
	b = order.AppendUint32(b, block)
	b = order.AppendUint16(b, parent)
	b = append(b, id...)
	if len(id)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

package fat

import (
	"encoding/binary"
	"time"
	"unicode/utf16"
)

// entrySize is the size of a directory entry in bytes.
const entrySize = 32

// Attributes of a directory entry (fatgen103, DIR_Attr).
const (
	attrReadOnly = 0x01
	attrVolumeID = 0x08
	attrDir      = 0x10
	attrArchive  = 0x20
	attrLongName = 0x0f
)

// unitsPerEntry is how much of a long name goes into one entry, in UTF-16 units.
const unitsPerEntry = 13

// longEntries returns how many entries a long name takes.
func longEntries(units int) int64 { return ceil(int64(units), unitsPerEntry) }

// entry is a directory entry (fatgen103, "FAT 32 Byte Directory Entry Structure").
type entry struct {
	name     [11]byte
	attr     byte
	caseBits byte
	cluster  uint32
	size     uint32
	// created is stored to 10 ms, written to 2 s, accessed to the day.
	created, written, accessed time.Time
}

// append appends the entry's bytes.
func (e *entry) append(b []byte) []byte {
	createDate, createTime, createTenth := timestamp(e.created)
	writeDate, writeTime, _ := timestamp(e.written)
	accessDate, _, _ := timestamp(e.accessed)
	le := binary.LittleEndian
	b = append(b, e.name[:]...)
	b = append(b, e.attr, e.caseBits, createTenth)
	b = le.AppendUint16(b, createTime)
	b = le.AppendUint16(b, createDate)
	b = le.AppendUint16(b, accessDate)
	b = le.AppendUint16(b, uint16(e.cluster>>16))
	b = le.AppendUint16(b, writeTime)
	b = le.AppendUint16(b, writeDate)
	b = le.AppendUint16(b, uint16(e.cluster))
	return le.AppendUint32(b, e.size)
}

// The moments that a timestamp can tell.
var (
	firstTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(2107, 12, 31, 23, 59, 59, 990_000_000, time.UTC)
)

// timestamp returns t in UTC as directory entries have it (fatgen103, "Date and
// Time Formats"): date, time in units of 2 s, and the hundredths of a second
// above these. What is out of range becomes the first or the last moment.
func timestamp(t time.Time) (date, clock uint16, hundredths byte) {
	t = t.UTC()
	if t.Before(firstTime) {
		t = firstTime
	} else if t.After(lastTime) {
		t = lastTime
	}
	year, month, day := t.Date()
	hour, minute, sec := t.Clock()
	date = uint16(year-1980)<<9 | uint16(month)<<5 | uint16(day)
	clock = uint16(hour)<<11 | uint16(minute)<<5 | uint16(sec/2)
	return date, clock, byte(sec%2*100 + t.Nanosecond()/10_000_000)
}

// appendLong appends the entries of a long name, the last part first (fatgen103,
// "FAT Long Directory Entry Structure").
func appendLong(b []byte, name string, alias [11]byte) []byte {
	units := utf16.Encode([]rune(name))
	sum := checksum(alias)
	n := int(longEntries(len(units)))
	for i := n; i > 0; i-- {
		order := byte(i)
		if i == n {
			order |= 0x40
		}
		part := units[(i-1)*unitsPerEntry:]
		e := [entrySize]byte{0: order, 11: attrLongName, 13: sum}
		at := 1
		for k := range unitsPerEntry {
			u := uint16(0xffff)
			if k < len(part) {
				u = part[k]
			} else if k == len(part) {
				u = 0
			}
			binary.LittleEndian.PutUint16(e[at:], u)
			switch at += 2; at {
			case 11:
				at = 14
			case 26:
				at = 28
			}
		}
		b = append(b, e[:]...)
	}
	return b
}

// checksum ties a long name to its alias (fatgen103, ChkSum).
func checksum(alias [11]byte) byte {
	sum := byte(0)
	for _, c := range alias {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}

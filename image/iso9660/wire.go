package iso9660

import (
	"encoding/binary"
	"fmt"
	"time"
)

// blockSize is the size of a logical block, and of a sector of a disc, in bytes.
const blockSize = 2048

// blocks returns how many blocks so many bytes take.
func blocks(size int64) int64 { return (size + blockSize - 1) / blockSize }

// appendBoth appends a number in both byte orders, the little end first (ECMA-119,
// 7.3.3).
func appendBoth(b []byte, n uint32) []byte {
	b = binary.LittleEndian.AppendUint32(b, n)
	return binary.BigEndian.AppendUint32(b, n)
}

// putBoth is appendBoth in place.
func putBoth(b []byte, n uint32) {
	binary.LittleEndian.PutUint32(b, n)
	binary.BigEndian.PutUint32(b[4:], n)
}

// putBoth16 is putBoth for 16 bits (ECMA-119, 7.2.3).
func putBoth16(b []byte, n uint16) {
	binary.LittleEndian.PutUint16(b, n)
	binary.BigEndian.PutUint16(b[2:], n)
}

// The years that a time of 7 bytes can hold, and those that one of 17 digits can.
const (
	firstYear, lastYear = 1900, 1900 + 255
	lastLongYear        = 9999
)

// clampTime returns the nearest time that 7 bytes can hold.
func clampTime(t time.Time) time.Time {
	t = t.UTC()
	switch {
	case t.Year() < firstYear:
		return time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC)
	case t.Year() > lastYear:
		return time.Date(lastYear, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	return t
}

// appendTime appends a time of 7 bytes, in UTC (ECMA-119, 9.1.5).
func appendTime(b []byte, t time.Time) []byte {
	t = clampTime(t)
	return append(b, byte(t.Year()-firstYear), byte(t.Month()), byte(t.Day()),
		byte(t.Hour()), byte(t.Minute()), byte(t.Second()), 0)
}

// longTime returns a time of 17 bytes, in UTC (ECMA-119, 8.4.26.1).
func longTime(t time.Time) string {
	t = t.UTC()
	return fmt.Sprintf("%04d%02d%02d%02d%02d%02d%02d\x00", t.Year(), t.Month(), t.Day(),
		t.Hour(), t.Minute(), t.Second(), t.Nanosecond()/1e7)
}

// noTime is a time of 17 bytes that is not given.
const noTime = "0000000000000000\x00"

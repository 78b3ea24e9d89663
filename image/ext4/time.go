package ext4

import (
	"fmt"
	"time"
)

// Times that an inode of 256 bytes can hold: 34 bits of seconds from 2^31 before
// 1970 on (Documentation/filesystems/ext4/inodes.rst, "Inode Timestamps").
const (
	minSeconds = -1 << 31
	maxSeconds = 1<<34 - 1<<31 - 1
)

// timestamp is a time as an inode holds it: the low 32 bits of the seconds, and
// above two more bits of these the nanoseconds.
type timestamp struct{ sec, extra uint32 }

func newTimestamp(t time.Time) timestamp {
	sec := t.Unix()
	epoch := (sec - int64(int32(sec))) >> 32
	return timestamp{uint32(sec), uint32(t.Nanosecond())<<2 | uint32(epoch)&3}
}

// checkTime refuses what does not fit an inode.
func checkTime(what string, t time.Time) error {
	if sec := t.Unix(); sec < minSeconds || sec > maxSeconds {
		return fmt.Errorf("%s %s: ext4 holds times from %s to %s", what, t.UTC().Format(time.RFC3339),
			time.Unix(minSeconds, 0).UTC().Format(time.RFC3339), time.Unix(maxSeconds, 0).UTC().Format(time.RFC3339))
	}
	return nil
}

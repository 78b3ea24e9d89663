package iso9660

import (
	"math"
	"strings"

	"github.com/drivebay/drivebay/image/filetree"
)

// Lengths of system use entries in bytes (SUSP 1.12, 5; RRIP 1.12, 4.1).
const (
	suspLen = 7
	contLen = 28
	// maxEntry is the longest entry, and maxPart what an entry of a name or of a
	// link's target has room for besides its 5 bytes.
	maxEntry = 255
	maxPart  = maxEntry - 5
)

// maxLinuxName is the longest name that Linux reads, in bytes (fs/isofs/rock.c,
// get_rock_ridge_filename): it ignores the part that goes beyond.
const maxLinuxName = 253

// entries are the system use entries of a directory record. They are used again
// and again.
type entries struct {
	buf  []byte
	ends []int
}

func (e *entries) reset() { e.buf, e.ends = e.buf[:0], e.ends[:0] }

// len returns how many entries there are, and at returns one.
func (e *entries) len() int { return len(e.ends) }

func (e *entries) at(i int) []byte {
	begin := 0
	if i > 0 {
		begin = e.ends[i-1]
	}
	return e.buf[begin:e.ends[i]]
}

// begin appends the head of an entry, which end closes.
func (e *entries) begin(signature string) { e.buf = append(e.buf, signature[0], signature[1], 0, 1) }

func (e *entries) end() {
	begin := 0
	if n := len(e.ends); n > 0 {
		begin = e.ends[n-1]
	}
	e.buf[begin+2] = byte(len(e.buf) - begin)
	e.ends = append(e.ends, len(e.buf))
}

// addSharing adds what tells, in the first record of the root, that there are
// entries at all (SUSP 1.12, 5.3), and whose (5.5; RRIP 1.12, 4.3).
func (e *entries) addSharing() {
	e.begin("SP")
	e.buf = append(e.buf, 0xbe, 0xef, 0)
	e.end()
}

func (e *entries) addReference() {
	const (
		id         = "IEEE_P1282"
		descriptor = "THE IEEE P1282 PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS."
		source     = "PLEASE CONTACT THE IEEE STANDARDS DEPARTMENT, PISCATAWAY, NJ, USA FOR THE P1282 SPECIFICATION."
	)
	e.begin("ER")
	e.buf = append(e.buf, byte(len(id)), byte(len(descriptor)), byte(len(source)), 1)
	e.buf = append(e.buf, id+descriptor+source...)
	e.end()
}

// addFile adds what there is to be said of a file, but for its name (RRIP 1.12,
// 4.1.1, 4.1.6, 4.1.2, 4.1.3). links is the number of its names, serial a number
// that it alone has.
func (e *entries) addFile(n filetree.Node, links, serial uint32) {
	e.begin("PX")
	for _, v := range [5]uint32{uint32(n.UnixMode()), links, n.UID(), n.GID(), serial} {
		e.buf = appendBoth(e.buf, v)
	}
	e.end()
	const modifyAccessAttributes = 2 | 4 | 8
	e.begin("TF")
	e.buf = append(e.buf, modifyAccessAttributes)
	e.buf = appendTime(e.buf, n.ModTime())
	e.buf = appendTime(e.buf, n.AccessTime())
	e.buf = appendTime(e.buf, n.ChangeTime())
	e.end()
	switch n.UnixMode() & filetree.ModeType {
	case filetree.ModeChar, filetree.ModeBlock:
		high, low, _ := deviceNumber(n.Device())
		e.begin("PN")
		e.buf = appendBoth(appendBoth(e.buf, high), low)
		e.end()
	case filetree.ModeSymlink:
		e.addTarget(n.Target())
	}
}

// deviceNumber returns a device's number as Linux reads it (fs/isofs/rock.c): major
// and minor apart, or together where the minor has no more than 8 bits, which all
// systems understand. ok is false for what Linux takes for another device.
func deviceNumber(d filetree.Device) (high, low uint32, ok bool) {
	if d.Minor <= math.MaxUint8 {
		return 0, d.Major<<8 | d.Minor, true
	}
	return d.Major, d.Minor, d.Major != 0
}

// addName adds a name (RRIP 1.12, 4.1.4).
func (e *entries) addName(name string) {
	for more := true; more; {
		part := name[:min(len(name), maxPart)]
		name = name[len(part):]
		more = name != ""
		e.begin("NM")
		e.buf = append(e.buf, flag(more))
		e.buf = append(e.buf, part...)
		e.end()
	}
}

// flag returns the flag that says that an entry, or a component of a target, goes
// on in the next.
func flag(more bool) byte {
	if more {
		return 1
	}
	return 0
}

// addTarget adds the target of a symbolic link (RRIP 1.12, 4.1.3): its components,
// cut up where an entry has no room for one.
func (e *entries) addTarget(target string) {
	flags := e.beginTarget()
	room := maxPart
	next := func() {
		e.buf[flags] = 1
		e.end()
		flags, room = e.beginTarget(), maxPart
	}
	if rest, ok := strings.CutPrefix(target, "/"); ok {
		e.buf = append(e.buf, componentRoot, 0)
		target, room = rest, room-2
		if target == "" {
			e.end()
			return
		}
	}
	for name := range strings.SplitSeq(target, "/") {
		kind := componentKind(name)
		if kind != 0 {
			name = ""
		}
		for more := true; more; {
			if room < 2+min(1, len(name)) {
				next()
			}
			part := name[:min(len(name), room-2)]
			name = name[len(part):]
			more = name != ""
			e.buf = append(e.buf, kind|flag(more), byte(len(part)))
			e.buf = append(e.buf, part...)
			room -= 2 + len(part)
		}
	}
	e.end()
}

// Kinds of a target's components that are no names.
const (
	componentCurrent = 2
	componentParent  = 4
	componentRoot    = 8
)

func componentKind(name string) byte {
	switch name {
	case ".":
		return componentCurrent
	case "..":
		return componentParent
	}
	return 0
}

// beginTarget begins an entry of a target and returns where its flags are.
func (e *entries) beginTarget() int {
	e.begin("SL")
	e.buf = append(e.buf, 0)
	return len(e.buf) - 1
}

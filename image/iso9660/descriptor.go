package iso9660

import (
	"encoding/binary"
	"strings"
	"time"
	"unicode/utf16"
)

// Types of volume descriptors (ECMA-119, 8.1.1).
const (
	typeBootRecord    = 0
	typePrimary       = 1
	typeSupplementary = 2
	typeTerminator    = 255
)

// firstDescriptor is the block of the first volume descriptor, behind the system
// area.
const firstDescriptor = 16

// jolietEscape says that names are in UCS-2, level 3 (ECMA-119, 8.5.6; Joliet).
const jolietEscape = "%/E"

// newDescriptor returns a volume descriptor with what all of them have.
func newDescriptor(kind byte) []byte {
	b := make([]byte, blockSize)
	b[0] = kind
	copy(b[1:], "CD001")
	b[6] = 1
	return b
}

// volumeDescriptor returns the descriptor of a hierarchy (ECMA-119, 8.4, 8.5).
func (p *plan) volumeDescriptor(h *hierarchy) []byte {
	b := newDescriptor(typePrimary)
	text := putText
	if h.joliet {
		b[0] = typeSupplementary
		text = putUCS2
		copy(b[88:], jolietEscape)
	}
	f := p.options
	text(b[8:40], f.SystemID)
	text(b[40:72], f.VolumeID)
	putBoth(b[80:], uint32(p.volumeBlocks()))
	putBoth16(b[120:], 1) // volumes of the set
	putBoth16(b[124:], 1) // the number of this one
	putBoth16(b[128:], blockSize)
	putBoth(b[132:], h.tableLen)
	binary.LittleEndian.PutUint32(b[140:], h.tables[0])
	binary.BigEndian.PutUint32(b[148:], h.tables[1])
	copy(b[156:190], appendRecord(nil, rootID, h.dirs[0].at, h.dirs[0].node.ModTime(), flagDirectory))
	text(b[190:318], f.VolumeSetID)
	text(b[318:446], f.PublisherID)
	text(b[446:574], f.PreparerID)
	text(b[574:702], f.ApplicationID)
	for _, at := range []int{702, 739, 776} { // copyright, abstract and bibliography, which are files
		text(b[at:at+37], "")
	}
	for i, t := range []string{longTime(p.created), longTime(p.created), noTime, noTime} {
		copy(b[813+17*i:], t) // creation, modification, expiration, effect
	}
	b[881] = 1
	return b
}

// putText fills a field with a text and spaces.
func putText(b []byte, s string) { copy(b, s+strings.Repeat(" ", len(b)-len(s))) }

// putUCS2 is putText in UCS-2. A field has half as many characters there, and what
// is beyond them is left out.
func putUCS2(b []byte, s string) {
	units := utf16.Encode([]rune(s))
	for i := range len(b) / 2 {
		u := uint16(' ')
		if i < len(units) {
			u = units[i]
		}
		binary.BigEndian.PutUint16(b[2*i:], u)
	}
}

// timeUUID returns what blkid and GRUB take for the volume's identifier: the time of
// its modification (util-linux, libblkid/src/superblocks/iso9660.c).
func timeUUID(t time.Time) string {
	t = t.UTC()
	return t.Format("2006-01-02-15-04-05-") + longTime(t)[14:16]
}

package fat

import (
	"fmt"
	"strconv"
	"strings"
)

// plainTails is how many names get an alias of six letters and a number before
// a hash of the name takes the place of four of the letters: Windows' way.
const plainTails = 4

// alias makes an alias for a name that is not 8.3: "PROGRA~1", up to ~4, and then
// "PR1A2B~1" with a hash of the name, as Windows does.
//
// The next number of each beginning is kept, so that a directory of thousands of
// names that begin alike takes no longer than any other.
func (m *namer) alias(name string) [11]byte {
	base, length := aliasBase(name)
	if a, ok := m.numbered(base, length, plainTails); ok {
		return a
	}
	length = min(length, 2)
	copy(base[length:8], fmt.Sprintf("%04X  ", hash(name)))
	a, _ := m.numbered(base, length+4, 1<<20) // more than a directory has names
	return a
}

// numbered appends the first number up to limit to the first length characters
// of base that makes an alias which is not taken, and takes it.
func (m *namer) numbered(base [11]byte, length, limit int) (a [11]byte, ok bool) {
	for i := m.tails[base] + 1; i <= limit; i++ {
		m.tails[base] = i
		a = base
		tail := "~" + strconv.Itoa(i)
		at := min(length, 8-len(tail))
		clear := copy(a[at:8], tail) + at
		copy(a[clear:8], blank[:])
		if _, ok := m.taken[a]; !ok {
			m.taken[a] = struct{}{}
			return a, true
		}
	}
	return a, false
}

// aliasBase returns the basis of the alias of a name (fatgen103, "The Basis-Name
// Generation Algorithm"), and the length of its stem.
func aliasBase(name string) (base [11]byte, length int) {
	name = strings.TrimLeft(strings.ReplaceAll(name, " ", ""), ".")
	stem, ext := name, ""
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		stem, ext = strings.ReplaceAll(name[:dot], ".", ""), name[dot+1:]
	}
	base = blank
	length = aliasPart(base[:8], stem)
	aliasPart(base[8:], ext)
	return base, length
}

// aliasPart writes as much of a stem or an extension as there is room for.
func aliasPart(to []byte, part string) int {
	i := 0
	for _, r := range part {
		if i == len(to) {
			break
		}
		c := byte('_')
		if r < 0x80 && isShort(upper(byte(r))) {
			c = upper(byte(r))
		}
		to[i] = c
		i++
	}
	return i
}

// hash returns 16 bits of a name: FNV-1a, folded.
func hash(name string) uint16 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return uint16(h>>16) ^ uint16(h)
}

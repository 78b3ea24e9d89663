package fat

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/drivebay/drivebay/image/filetree"
)

const (
	// maxName is the longest long name in UTF-16 units.
	maxName = 255
	// maxLabel is the longest label.
	maxLabel = 11
)

// checkName refuses what a long name cannot be (fatgen103, "Long Directory
// Entries"), and returns its length in UTF-16 units.
func checkName(name string) (units int, err error) {
	for i, r := range name {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(name[i:], string(utf8.RuneError)):
			return 0, fmt.Errorf("%w: byte %#02x at %d of %q is not UTF-8", ErrName, name[i], i, name)
		case r < ' ' || r < utf8.RuneSelf && strings.ContainsRune(`"*/:<>?\|`, r):
			return 0, fmt.Errorf("%w: it contains %q", ErrName, r)
		case r == 0xffff:
			return 0, fmt.Errorf("%w: it contains U+FFFF, which fills the unused end of a name", ErrName)
		case r > 0xffff:
			units++
		}
		units++
	}
	if units > maxName {
		return 0, fmt.Errorf("%w: it has %d UTF-16 units, want at most %d", ErrName, units, maxName)
	}
	if last := name[len(name)-1]; last == '.' || last == ' ' {
		return 0, fmt.Errorf("%w: it ends with %q, which is stripped when it is looked up", ErrName, last)
	}
	return units, nil
}

// checkLabel refuses what cannot be a volume's label.
func checkLabel(label string) error {
	if len(label) > maxLabel {
		return fmt.Errorf("fat: label %q of %d bytes: %w: want at most %d", label, len(label), ErrOption, maxLabel)
	}
	for _, r := range label {
		if r < ' ' || r > '~' || strings.ContainsRune(`*?.,;:/\|+=<>[]"`, r) {
			return fmt.Errorf("fat: label %q: %w: want ASCII without control characters and *?.,;:/\\|+=<>[]\"", label, ErrOption)
		}
	}
	if strings.TrimSpace(label) != label {
		return fmt.Errorf("fat: label %q: %w: want no space at either end", label, ErrOption)
	}
	return nil
}

// isShort reports whether an upper-case character may stand in an 8.3 name: those
// of fatgen103, "Short Directory Entries", that every code page has, without the
// space.
func isShort(c byte) bool {
	return 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c != 0 && strings.IndexByte("!#$%&'()-@^_`{}~", c) >= 0
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// shortName returns the 8.3 name that is name but for the case of its letters,
// and whether there is one. Where stem and extension are each of one case, flags
// say all that there is to say about the name; else it is long.
func shortName(name string) (alias [11]byte, flags byte, ok bool) {
	stem, ext, dot := strings.Cut(name, ".")
	if len(stem) == 0 || len(stem) > 8 || len(ext) > 3 || dot && ext == "" {
		return alias, 0, false
	}
	alias = blank
	stemFlags, ok1 := shortPart(alias[:8], stem, lowerStem)
	extFlags, ok2 := shortPart(alias[8:], ext, lowerExt)
	return alias, stemFlags | extFlags, ok1 && ok2
}

// blank is an alias of spaces.
var blank = [11]byte{' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '}

// shortPart writes a stem or an extension in upper case.
func shortPart(to []byte, part string, lowerFlag byte) (flags byte, ok bool) {
	var lower, capital bool
	for i := range len(part) {
		c := upper(part[i])
		if !isShort(c) {
			return 0, false
		}
		lower = lower || c != part[i]
		capital = capital || 'A' <= part[i] && part[i] <= 'Z'
		to[i] = c
	}
	switch {
	case lower && capital:
		return long, true
	case lower:
		return lowerFlag, true
	}
	return 0, true
}

// namer finds the 8.3 names of a directory.
type namer struct {
	slots  []slot
	folded map[string]filetree.Node
	taken  map[[11]byte]struct{}
	longs  []filetree.Node // those whose alias needs a number
	tails  map[[11]byte]int
}

func newNamer(slots []slot) *namer {
	return &namer{
		slots:  slots,
		folded: map[string]filetree.Node{},
		taken:  map[[11]byte]struct{}{},
	}
}

// add takes a name up, and returns its length in UTF-16 units.
func (m *namer) add(n filetree.Node) (units int, err error) {
	name := n.Name()
	if units, err = checkName(name); err != nil {
		return 0, err
	}
	// Windows folds one character at a time, by its upper case.
	fold := strings.ToUpper(name)
	if other, ok := m.folded[fold]; ok {
		return 0, fmt.Errorf("%w: %q and %q", ErrCollision, other.Name(), name)
	}
	m.folded[fold] = n
	s := &m.slots[n.ID()]
	var ok bool
	if s.alias, s.flags, ok = shortName(name); ok {
		m.taken[s.alias] = struct{}{}
	} else {
		s.flags = long
		m.longs = append(m.longs, n)
	}
	if s.flags&long != 0 {
		s.flags = long // upper and lower case are the long name's to tell
	}
	return units, nil
}

// shorten gives an alias to all names that are not 8.3 themselves.
func (m *namer) shorten() {
	if m.longs == nil {
		return
	}
	m.tails = map[[11]byte]int{}
	for _, n := range m.longs {
		m.slots[n.ID()].alias = m.alias(n.Name())
	}
}

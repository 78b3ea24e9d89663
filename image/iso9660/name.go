package iso9660

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/drivebay/drivebay/image/filetree"
)

// scheme is a way to write names: that of a level, or Joliet's. A name is a stem
// and an extension, which a dot separates.
type scheme struct {
	// valid reports whether a name may have a character as it is, and fold
	// returns what stands for one that it may.
	valid func(r rune) bool
	fold  func(r rune) rune
	// dotted says that dots may stand anywhere but at the end, not only before
	// the extension.
	dotted bool
	// stem and ext are how many characters those of a file may have, and both of
	// them together. dir is the same for a directory, which has no extension
	// but where it is dotted.
	stem, ext, both, dir int
}

// The schemes of the levels (ECMA-119, 10.1 to 10.3, 7.5.1, 7.6.3), and Joliet's
// ("Joliet Specification", 1995: Allowed Character Set, Maximum Length).
var (
	scheme83     = scheme{valid: isLetterOrDigit, fold: upper, stem: 8, ext: 3, both: 11, dir: 8}
	scheme31     = scheme{valid: isLetterOrDigit, fold: upper, stem: 30, ext: 30, both: 30, dir: 31}
	schemeJoliet = scheme{valid: isJoliet, fold: same, dotted: true, stem: 64, ext: 63, both: 63, dir: 64}
)

// isLetterOrDigit reports whether a character is one of the d-characters, once it
// is in upper case (ECMA-119, 7.4.1).
func isLetterOrDigit(r rune) bool {
	return 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_'
}

// isJoliet reports whether a character may stand in a Joliet name: UCS-2 has
// nothing beyond the basic plane, and of that no surrogates.
func isJoliet(r rune) bool {
	return r >= ' ' && r <= 0xffff && r != utf8.RuneError && !strings.ContainsRune(`*/:;?\`, r)
}

func same(r rune) rune { return r }

func upper(r rune) rune {
	if 'a' <= r && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}

// identifier is a name as a scheme writes it.
type identifier struct {
	stem, ext string // ext is "" where there is no dot
	// held says that it is the name itself, but for upper and lower case.
	held bool
}

// String returns the name with its dot, where it has one.
func (id identifier) String() string {
	if id.ext == "" {
		return id.stem
	}
	return id.stem + "." + id.ext
}

// identify returns the nearest that the scheme has to a name.
func (s *scheme) identify(name string, dir bool) identifier {
	stem, ext := name, ""
	if dot := strings.LastIndexByte(name, '.'); dot > 0 && (s.dotted || !dir) {
		stem, ext = name[:dot], name[dot+1:]
	}
	if s.dotted && utf8.RuneCountInString(ext) > 16 { // no extension, but a dot in the name
		stem, ext = name, ""
	}
	id := identifier{stem: s.clean(stem), ext: s.clean(ext)}
	limit := s.stem
	if dir {
		limit = s.dir
	}
	if id.ext != "" {
		// A long extension gets at most half of the room that the stem wants.
		id.ext = cut(id.ext, min(s.ext, s.both-min(utf8.RuneCountInString(id.stem), s.both/2)))
		limit = min(limit, s.both-utf8.RuneCountInString(id.ext))
	}
	id.stem = cut(id.stem, limit)
	if stem, ok := strings.CutSuffix(id.stem, "."); ok && id.ext == "" {
		id.stem = stem + "_" // systems ignore a dot at the end
	}
	id.held = s.equal(id.String(), name)
	return id
}

// equal reports whether id is name but for the case of letters, where the scheme
// does not tell it.
func (s *scheme) equal(id, name string) bool {
	return id == name || s.fold('a') == 'A' && strings.EqualFold(id, name)
}

// clean puts an underscore in the place of each character that may not stand.
func (s *scheme) clean(part string) string {
	ok := true
	for i := range len(part) {
		c := rune(part[i])
		ok = ok && c < utf8.RuneSelf && s.valid(c) && s.fold(c) == c
	}
	if ok {
		return part
	}
	var b strings.Builder
	b.Grow(len(part))
	for i, r := range part {
		switch {
		case r == utf8.RuneError && strings.HasPrefix(part[i:], string(utf8.RuneError)) && s.dotted:
			b.WriteRune(r) // U+FFFD itself, not a byte that is no UTF-8
		case !s.valid(r) || r == '.' && !s.dotted:
			b.WriteByte('_')
		default:
			b.WriteRune(s.fold(r))
		}
	}
	return b.String()
}

// cut returns the first n characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// member is a file of a directory with its identifier.
type member struct {
	node filetree.Node
	id   string
	// held says that the identifier is the name, but for upper and lower case.
	held bool
}

// members returns the files of a directory that keep wants, each with an
// identifier of its own, in the order of those (ECMA-119, 9.3). Names that are
// held have the first claim to theirs. The same directory gives the same
// identifiers each time.
func (s *scheme) members(dir filetree.Node, keep func(filetree.Node) bool) []member {
	var list []member
	var others []int // those that are to get another name
	taken := map[string]struct{}{}
	for n := range dir.Children() {
		if !keep(n) {
			continue
		}
		id := s.identify(n.Name(), n.IsDir())
		m := member{node: n, id: id.String(), held: id.held}
		if _, ok := taken[m.id]; ok || !m.held {
			m.held = false
			others = append(others, len(list))
		} else {
			taken[m.id] = struct{}{}
		}
		list = append(list, m)
	}
	next := map[string]int{}
	for _, i := range others {
		m := &list[i]
		m.id = s.unique(m.node, taken, next)
		taken[m.id] = struct{}{}
	}
	slices.SortFunc(list, func(a, b member) int { return compareIDs(a.id, b.id) })
	return list
}

// unique returns an identifier that is not taken: with a number at the end of the
// stem, if it has to be. next has the first number to try for each.
func (s *scheme) unique(n filetree.Node, taken map[string]struct{}, next map[string]int) string {
	id := s.identify(n.Name(), n.IsDir())
	base := id.String()
	if _, ok := taken[base]; !ok {
		return base
	}
	stem := id.stem
	for i := next[base]; ; i++ {
		tail := "_" + strconv.Itoa(i)
		room := s.stem
		if n.IsDir() {
			room = s.dir
		}
		if id.ext != "" {
			room = min(room, s.both-utf8.RuneCountInString(id.ext))
		}
		id.stem = cut(stem, room-len(tail)) + tail
		if _, ok := taken[id.String()]; !ok {
			next[base] = i + 1
			return id.String()
		}
	}
}

// compareIDs compares identifiers as directories are sorted: the dot, before which
// the stem ends, comes before all characters, as if stems were padded to one
// length.
func compareIDs(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '.':
			return -1
		case b[i] == '.':
			return 1
		default:
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}

package iso9660

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/problems"
)

// Limits of files.
const (
	// maxExtent is the longest extent that another may follow: whole blocks, in 32
	// bits.
	maxExtent = math.MaxUint32 &^ (blockSize - 1)
	// maxExtents is how many extents of a file Linux goes through
	// (fs/isofs/inode.c, isofs_read_level3_size).
	maxExtents = 100
	// maxLevels and maxPathLen bound directories where there is no Rock Ridge
	// (ECMA-119, 6.8.2.1).
	maxLevels  = 8
	maxPathLen = 255
)

// scanner takes stock of a tree.
type scanner struct {
	*plan
	problems problems.List
}

// scan refuses what ISO 9660 cannot hold, or lists it, and lays the directories
// out.
func (p *plan) scan() error {
	s := scanner{plan: p, problems: problems.List{Op: "iso9660"}}
	if err := p.tree.Walk(func(n filetree.Node) error {
		if p.hierarchies[0].keep(n) {
			s.files++
		}
		s.node(n)
		return nil
	}); err != nil {
		return err
	}
	for _, h := range p.hierarchies {
		h.measure(p.tree.Root(), func(m *member) { s.renamed(h, m) }, s.problems.Add)
		if !h.rockRidge && !h.joliet {
			s.depths(h)
		}
	}
	return s.problems.Err()
}

// lost notes what a file loses, or that it is lost: an error, unless that is
// wanted.
func (s *scanner) lost(n filetree.Node, wanted bool, what string, err error) {
	if !wanted {
		s.problems.Add(n, err)
		return
	}
	s.dropped = append(s.dropped, n.Path()+": "+what)
}

// renamed notes a name that the volume has another for.
func (s *scanner) renamed(h *hierarchy, m *member) {
	kind := "ISO 9660"
	if h.joliet {
		kind = "Joliet"
	}
	s.lost(m.node, s.options.MapNames, fmt.Sprintf("name in %s is %q", kind, m.id),
		fmt.Errorf("%w: in %s, %q would be the nearest free", ErrName, kind, m.id))
}

// node takes stock of one name.
func (s *scanner) node(n filetree.Node) {
	if name := n.Name(); len(name) > maxLinuxName && !s.options.NoRockRidge {
		s.lost(n, s.options.MapNames, fmt.Sprintf("name of %d bytes, of which Linux shows the first %d", len(name), maxPart),
			fmt.Errorf("%w: it has %d bytes, want at most the %d that Linux reads", ErrName, len(name), maxLinuxName))
	}
	if n.Inode() != n {
		s.link(n)
		return
	}
	s.kind(n)
	s.xattrs(n)
	if t := n.ModTime(); !clampTime(t).Equal(t) {
		s.lost(n, s.options.Drop, fmt.Sprintf("modification time %s, made %s", t.Format(time.RFC3339), clampTime(t).Format(time.RFC3339)),
			fmt.Errorf("%w: modification time %s, want %d to %d", ErrUnsupported, t.Format(time.RFC3339), firstYear, lastYear))
	}
}

// link takes stock of a further name of a file.
func (s *scanner) link(n filetree.Node) {
	switch {
	case kindOf(n) != filetree.ModeRegular:
		s.kind(n) // if it is left out, then by each of its names
	case s.options.NoRockRidge:
		what := "hard link to " + n.Inode().Path()
		s.lost(n, s.options.Drop, what+", as a file of its own", fmt.Errorf("%s: %w without Rock Ridge", what, ErrUnsupported))
	}
}

// kindOf returns the type of a file as in [filetree.ModeType].
func kindOf(n filetree.Node) uint16 { return n.UnixMode() & filetree.ModeType }

// kind takes stock of what a file is.
func (s *scanner) kind(n filetree.Node) {
	what := ""
	switch k := kindOf(n); k {
	case filetree.ModeDir:
		return
	case filetree.ModeRegular:
		s.size(n)
		return
	case filetree.ModeChar, filetree.ModeBlock:
		d := n.Device()
		what = fmt.Sprintf("device %d:%d", d.Major, d.Minor)
		if _, _, ok := deviceNumber(d); !ok {
			s.lost(n, s.options.Drop, what, fmt.Errorf("%s: %w: Linux would read another major number: want one that is not 0, or a minor number up to %d", what, ErrUnsupported, math.MaxUint8))
			return
		}
	case filetree.ModeSymlink:
		what = "symbolic link to " + n.Target()
	case filetree.ModeFIFO:
		what = "FIFO"
	default:
		what = "socket"
	}
	if s.options.NoRockRidge {
		s.lost(n, s.options.Drop, what, fmt.Errorf("%s: %w without Rock Ridge", what, ErrUnsupported))
	}
}

// size refuses what is too large.
func (s *scanner) size(n filetree.Node) {
	switch size := n.Size(); {
	case s.options.level() < Level3 && size > math.MaxUint32:
		s.problems.Add(n, fmt.Errorf("%w: file of %d bytes, want at most %d at level %d", ErrTooLarge, size, uint32(math.MaxUint32), s.options.level()))
	case size > maxExtents*maxExtent:
		s.problems.Add(n, fmt.Errorf("%w: file of %d bytes, want at most %d, in %d extents", ErrTooLarge, size, int64(maxExtents*maxExtent), maxExtents))
	}
}

// xattrs takes stock of the extended attributes, but for SELinux's label, which
// every file of a system has and which a policy gives such a volume as a whole.
func (s *scanner) xattrs(n filetree.Node) {
	var names []string
	for _, x := range n.Xattrs() {
		if x.Name != "security.selinux" {
			names = append(names, x.Name)
		}
	}
	if names != nil {
		what := "extended attributes " + strings.Join(names, ", ")
		s.lost(n, s.options.Drop, what, fmt.Errorf("%s: %w", what, ErrUnsupported))
	}
}

// depths refuses what is too deep where there is no Rock Ridge.
func (s *scanner) depths(h *hierarchy) {
	levels, lengths := make([]int, len(h.dirs)), make([]int, len(h.dirs))
	for i := range h.dirs {
		d := &h.dirs[i]
		levels[i] = 1
		if i > 0 {
			levels[i], lengths[i] = levels[d.parent]+1, lengths[d.parent]+len(d.id)+1
		}
		if levels[i] > maxLevels {
			s.problems.Add(d.node, fmt.Errorf("%w: directory at level %d, want at most %d without Rock Ridge", ErrTooLarge, levels[i], maxLevels))
			continue
		}
		for _, m := range h.members(i) {
			if length := lengths[i] + len(h.recorded(&m)); !m.node.IsDir() && length > maxPathLen {
				s.problems.Add(m.node, fmt.Errorf("%w: path of %d bytes, want at most %d without Rock Ridge", ErrTooLarge, length, maxPathLen))
			}
		}
	}
}

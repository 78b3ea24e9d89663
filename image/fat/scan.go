package fat

import (
	"fmt"
	"math"
	"strings"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/problems"
)

// Limits of the format.
const (
	// maxFileSize is the largest file: its size is stored in 32 bits.
	maxFileSize = math.MaxUint32
	// maxDirEntries is the largest directory that drivers read, 2 MiB (fatgen103,
	// "Maximum Directory Size"; FAT_MAX_DIR_SIZE in fs/fat/fat.h).
	maxDirEntries = 1 << 16
)

// content is what a tree asks of a volume.
type content struct {
	tree *filetree.Tree
	// dirs are the directories, level by level. The root is the first.
	dirs []dir
	// slots holds what the volume needs to know of each node, by its ID.
	slots []slot
	// clusters is the number of clusters that the files and all directories but
	// the root take, for each power of two as a cluster's size.
	clusters [17]int64
	files    int64
	dropped  []string
}

// dir is a directory.
type dir struct {
	node    filetree.Node
	entries int64
	cluster uint32 // the first of its chain
}

// slot is what a directory entry says of a file beyond its node.
type slot struct {
	alias   [11]byte
	flags   byte
	cluster uint32 // the first of the file's chain, 0 where it has none
}

// Flags of a slot. Those for lower case are as an entry's DIR_NTRes has them.
const (
	lowerStem = 0x08
	lowerExt  = 0x10
	long      = 0x01 // the name takes entries of its own
	left      = 0x80 // left out
)

// scanner collects the content of a tree.
type scanner struct {
	*content
	drop     bool
	problems problems.List
}

// scan takes stock of a tree and refuses what FAT cannot hold.
func scan(t *filetree.Tree, drop, label bool) (*content, error) {
	s := scanner{content: &content{tree: t, slots: make([]slot, t.Len())}, drop: drop, problems: problems.List{Op: "fat"}}
	s.dirs = []dir{{node: t.Root()}}
	if label {
		s.dirs[0].entries = 1
	}
	for i := 0; i < len(s.dirs); i++ {
		s.scanDir(i)
	}
	return s.content, s.problems.Err()
}

// scanDir takes stock of directory i and appends those in it to the list.
func (s *scanner) scanDir(i int) {
	node, entries := s.dirs[i].node, s.dirs[i].entries
	if i > 0 {
		entries = 2 // "." and ".."
	}
	s.noteXattrs(node)
	names := newNamer(s.slots)
	for n := range node.Children() {
		if !s.keep(n) {
			s.slots[n.ID()].flags = left
			continue
		}
		units, err := names.add(n)
		if err == nil && n.Size() > maxFileSize {
			err = fmt.Errorf("file of %d bytes: %w: want at most %d", n.Size(), ErrTooLarge, int64(maxFileSize))
		}
		if err != nil {
			s.problems.Add(n, err)
			continue
		}
		s.files++
		entries++
		if s.slots[n.ID()].flags&long != 0 {
			entries += longEntries(units)
		}
		if n.IsDir() {
			s.dirs = append(s.dirs, dir{node: n})
			continue
		}
		s.noteXattrs(n)
		s.count(n.Size())
	}
	names.shorten()
	if entries > maxDirEntries {
		s.problems.Add(node, fmt.Errorf("directory of %d entries: %w: want at most %d, of which a name takes 1, or 1 more for each 13 characters where it is not 8.3",
			entries, ErrTooLarge, maxDirEntries))
	}
	s.dirs[i].entries = entries
	if i > 0 {
		s.count(entries * entrySize)
	}
}

// count adds a chain for so many bytes to what the content takes.
func (c *content) count(size int64) {
	for shift := range c.clusters {
		c.clusters[shift] += ceil(size, 1<<shift)
	}
}

// keep reports whether a node goes into the volume, and notes why where it does
// not, or does not as what it is.
func (s *scanner) keep(n filetree.Node) bool {
	what, ok := "", true
	switch n.UnixMode() & filetree.ModeType {
	case filetree.ModeDir:
		return true
	case filetree.ModeRegular:
		if n.Inode() == n {
			return true
		}
		what = "hard link to " + n.Inode().Path()
	case filetree.ModeSymlink:
		what, ok = "symbolic link to "+n.Target(), false
	case filetree.ModeFIFO:
		what, ok = "FIFO", false
	case filetree.ModeSocket:
		what, ok = "socket", false
	case filetree.ModeChar:
		what, ok = "character device "+deviceNumber(n), false
	default:
		what, ok = "block device "+deviceNumber(n), false
	}
	switch {
	case !s.drop:
		s.problems.Add(n, fmt.Errorf("%s: %w", what, ErrUnsupported))
	case ok:
		s.dropped = append(s.dropped, n.Path()+": "+what+", copied")
	default:
		s.dropped = append(s.dropped, n.Path()+": "+what)
	}
	return s.drop && ok
}

func deviceNumber(n filetree.Node) string {
	return fmt.Sprintf("%d:%d", n.Device().Major, n.Device().Minor)
}

// noteXattrs lists the extended attributes that get lost, but for SELinux's
// label, which every file of a system has and which a policy gives a FAT volume
// as a whole.
func (s *scanner) noteXattrs(n filetree.Node) {
	var names []string
	for _, x := range n.Xattrs() {
		if x.Name != "security.selinux" {
			names = append(names, x.Name)
		}
	}
	if names != nil {
		s.dropped = append(s.dropped, n.Path()+": extended attributes "+strings.Join(names, ", "))
	}
}

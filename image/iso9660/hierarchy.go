package iso9660

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf16"

	"github.com/drivebay/drivebay/image/filetree"
)

// hierarchy is a tree of directories on the volume: the primary one, or Joliet's,
// which has the same files by other names.
type hierarchy struct {
	scheme    *scheme
	joliet    bool
	rockRidge bool
	// keep reports whether a file is in it.
	keep func(filetree.Node) bool
	// extents returns where the content of a file is.
	extents func(filetree.Node) []extent
	// dirs are the directories in the order of the path table: level by level,
	// those of a level by their parents, and those of a parent by identifier.
	dirs []directory
	// tableLen is the length of the path table in bytes, and tables where it
	// begins in little and in big endian.
	tableLen uint32
	tables   [2]uint32
}

// directory is one of a hierarchy.
type directory struct {
	node   filetree.Node
	id     string
	parent int // the root is its own
	// child is the first directory in it, of which there are so many children.
	child, children int
	at              extent
	more            int64 // blocks of the continuation area behind it
}

// rootID is the identifier of the root, and of each directory in itself; parentID
// that of the one above it (ECMA-119, 7.6.2).
const (
	rootID   = "\x00"
	parentID = "\x01"
)

// maxParent is the largest number of a directory that can have others in it:
// path tables have 16 bits for it.
const maxParent = math.MaxUint16

// measure finds all directories and their lengths. renamed is told of the names
// that the hierarchy does not hold, problem of all that it cannot have.
func (h *hierarchy) measure(root filetree.Node, renamed func(m *member), problem func(filetree.Node, error)) {
	h.dirs = []directory{{node: root, id: rootID}}
	h.tableLen = 0
	w := &dirWriter{}
	for i := 0; i < len(h.dirs); i++ {
		members := h.members(i)
		h.dirs[i].child = len(h.dirs)
		for j := range members {
			m := &members[j]
			if !m.held && !h.rockRidge {
				renamed(m)
			}
			if m.node.IsDir() {
				h.dirs = append(h.dirs, directory{node: m.node, id: h.recorded(m), parent: i})
			}
		}
		d := &h.dirs[i]
		d.children = len(h.dirs) - d.child
		if d.children > 0 && i+1 > maxParent {
			problem(d.node, fmt.Errorf("%w: directory number %d has others in it: only the first %d may", ErrTooLarge, i+1, maxParent))
		}
		h.encode(w, i, members)
		if int64(len(w.records)) > math.MaxUint32-blockSize {
			problem(d.node, fmt.Errorf("%w: directory of %d bytes, want less than 4 GiB", ErrTooLarge, len(w.records)))
		}
		d.at.size = uint32(blocks(int64(len(w.records))) * blockSize)
		d.more = blocks(int64(len(w.more)))
		h.tableLen += uint32(8+len(d.id)+1) &^ 1
	}
}

// members returns the files of directory i.
func (h *hierarchy) members(i int) []member { return h.scheme.members(h.dirs[i].node, h.keep) }

// recorded returns an identifier as records have it: a file's with a dot and a
// version in the primary hierarchy (ECMA-119, 7.5.1), in UCS-2 in Joliet's.
func (h *hierarchy) recorded(m *member) string {
	switch {
	case h.joliet:
		b := make([]byte, 0, 2*len(m.id))
		for _, u := range utf16.Encode([]rune(m.id)) {
			b = binary.BigEndian.AppendUint16(b, u)
		}
		return string(b)
	case m.node.IsDir():
		return m.id
	case strings.Contains(m.id, "."):
		return m.id + ";1"
	}
	return m.id + ".;1"
}

// encode writes directory i, whose place it has to know for that, but not for its
// length.
func (h *hierarchy) encode(w *dirWriter, i int, members []member) {
	d := &h.dirs[i]
	w.reset(d.at.block + d.at.size/blockSize)
	h.encodeDir(w, rootID, i, "")
	h.encodeDir(w, parentID, d.parent, "")
	child := d.child
	for j := range members {
		m := &members[j]
		if m.node.IsDir() {
			h.encodeDir(w, h.dirs[child].id, child, m.node.Name())
			child++
			continue
		}
		h.encodeFile(w, m)
	}
}

// encodeDir writes a record of directory i.
func (h *hierarchy) encodeDir(w *dirWriter, id string, i int, name string) {
	d := &h.dirs[i]
	w.entries.reset()
	if h.rockRidge {
		isFirst := id == rootID && i == 0 && len(w.records) == 0
		if isFirst {
			w.addSharing()
		}
		w.addFile(d.node, uint32(2+d.children), serial(d.node))
		if name != "" {
			w.addName(name)
		}
		if isFirst {
			w.addReference()
		}
	}
	w.add(id, d.at, d.node.ModTime(), flagDirectory)
}

// encodeFile writes the records of a file, one for each extent.
func (h *hierarchy) encodeFile(w *dirWriter, m *member) {
	w.entries.reset()
	if h.rockRidge {
		w.addFile(m.node, uint32(m.node.Links()), serial(m.node))
		w.addName(m.node.Name())
	}
	id := h.recorded(m)
	list := h.extents(m.node)
	for i, at := range list {
		flags := byte(0)
		if i < len(list)-1 {
			flags = flagMore
		}
		w.add(id, at, m.node.ModTime(), flags)
	}
}

// serial returns the number that all names of a file have in common.
func serial(n filetree.Node) uint32 { return uint32(n.Inode().ID()) + 1 }

// pathTable returns the path table in an order of bytes.
func (h *hierarchy) pathTable(order binary.AppendByteOrder) []byte {
	b := make([]byte, 0, h.tableLen)
	for i := range h.dirs {
		d := &h.dirs[i]
		b = appendPathRecord(b, order, d.id, d.at.block, uint16(d.parent+1))
	}
	return b
}

package squashfs

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/drivebay/drivebay/image/filetree"
)

// xattrPrefixes are the beginnings of names that the format numbers.
var xattrPrefixes = [...]string{"user.", "trusted.", "security."}

// xattrElsewhere, in the type of an attribute, says that there is a metaRef in
// place of its value, which is somewhere before it.
const xattrElsewhere = 1 << 8

// What mksquashfs keeps beside the names: values of up to xattrInline bytes, or
// shorter ones where the attributes of a file would take more than xattrTarget.
// Who looks for an attribute has to go through those before it.
const (
	xattrInline = 128
	xattrTarget = 65536
)

// xattrs collects the attributes of all inodes.
type xattrs struct {
	table  *metaWriter
	ids    []xattrID
	idOf   map[string]uint32  // by names and values
	values map[string]metaRef // that are not beside their names
	of     map[uint32]uint32  // by inode
	buf    []byte
}

// scanXattrs enters the attributes of a node that has just been numbered. Nodes
// with the same share them.
func (b *builder) scanXattrs(n filetree.Node) error {
	var list []xattr
	for _, x := range n.Xattrs() {
		a, ok := newXattr(x)
		switch {
		case ok:
			list = append(list, a)
		case b.drop:
			b.dropped = append(b.dropped, fmt.Sprintf("%s: extended attribute %s", n.Path(), x.Name))
		default:
			return fmt.Errorf("extended attribute %s: %w: want one of user, trusted or security", x.Name, ErrUnsupported)
		}
	}
	if len(list) > 0 {
		b.xattrs.of[b.inode(n)] = b.xattrs.add(list)
	}
	return nil
}

// xattrOf returns the number of the attributes of an inode.
func (b *builder) xattrOf(ino uint32) uint32 {
	if id, ok := b.xattrs.of[ino]; ok {
		return id
	}
	return noXattr
}

// xattr is an attribute as squashfs has it.
type xattr struct {
	prefix uint16
	name   string // without the prefix
	value  []byte
}

func newXattr(x filetree.Xattr) (xattr, bool) {
	for i, prefix := range xattrPrefixes {
		if name, ok := strings.CutPrefix(x.Name, prefix); ok {
			return xattr{uint16(i), name, x.Value}, true
		}
	}
	return xattr{}, false
}

// size returns how long an attribute is with values of up to inline bytes beside
// their names.
func (x *xattr) size(inline int) int {
	n := 4 + len(x.name) + 4
	if len(x.value) > inline {
		return n + 8
	}
	return n + len(x.value)
}

// add returns the number of a list of attributes.
func (s *xattrs) add(list []xattr) uint32 {
	s.buf = s.buf[:0]
	for i := range list {
		s.buf = appendXattr(s.buf, &list[i], nil)
	}
	if id, ok := s.idOf[string(s.buf)]; ok {
		return id
	}
	id := uint32(len(s.ids))
	s.idOf[string(s.buf)] = id

	inline, size := xattrInline, 0
	for ; ; inline /= 2 {
		size = 0
		for i := range list {
			size += list[i].size(inline)
		}
		if size <= xattrTarget || inline == 0 {
			break
		}
	}
	for i := range list {
		if v := list[i].value; len(v) > inline {
			s.addValue(v)
		}
	}
	s.ids = append(s.ids, xattrID{Xattrs: s.table.ref(), Count: uint32(len(list)), Size: uint32(size)})
	for i := range list {
		var elsewhere *metaRef
		if v := list[i].value; len(v) > inline {
			ref := s.values[string(v)]
			elsewhere = &ref
		}
		s.buf = appendXattr(s.buf[:0], &list[i], elsewhere)
		_, _ = s.table.Write(s.buf)
	}
	return id
}

// addValue writes a value that is not beside its name, once.
func (s *xattrs) addValue(v []byte) {
	if _, ok := s.values[string(v)]; ok {
		return
	}
	s.values[string(v)] = s.table.ref()
	_, _ = s.table.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(v))))
	_, _ = s.table.Write(v)
}

// appendXattr appends an attribute with its value, or with where that is.
func appendXattr(b []byte, x *xattr, elsewhere *metaRef) []byte {
	e := xattrEntry{Type: x.prefix, NameLen: uint16(len(x.name))}
	if elsewhere != nil {
		e.Type |= xattrElsewhere
	}
	b = append(appendStruct(b, e), x.name...)
	if elsewhere != nil {
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(b, 8), uint64(*elsewhere))
	}
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(x.value))), x.value...)
}

// write writes the tables of attributes, which are the last, to the spool, and
// returns the offset of the numbers' index.
func (s *xattrs) write(to *spool, c compressor) (uint64, error) {
	if len(s.ids) == 0 {
		return noTable, nil
	}
	start, err := s.table.table(to)
	if err != nil {
		return 0, err
	}
	ids := newMetaWriter(c)
	for _, id := range s.ids {
		_, _ = ids.Write(appendStruct(nil, id))
	}
	idStart, err := ids.table(to)
	if err != nil {
		return 0, err
	}
	at := to.pos()
	if err := to.write(appendStruct(nil, xattrTable{Start: uint64(start), IDs: uint32(len(s.ids))})); err != nil {
		return 0, err
	}
	_, err = ids.index(to, idStart)
	return uint64(at), err
}

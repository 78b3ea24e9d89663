package squashfs

import (
	"fmt"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// maxXattrs is how many bytes of attributes a file may have, names and values: far
// more than Linux lists.
const maxXattrs = 1 << 20

// xattrs returns the extended attributes of an inode.
func (v *readVolume) xattrs(i *readInode) ([]filetree.Xattr, error) {
	if i.xattr == noXattr || v.sb.XattrTable == noTable {
		return nil, nil
	}
	var table xattrTable
	head, err := v.readAt(v.sb.XattrTable, xattrTableLen, "the table of attributes")
	if err != nil {
		return nil, err
	}
	table.Start, table.IDs = le.Uint64(head), le.Uint32(head[8:])
	var id xattrID
	if err := v.entry(v.sb.XattrTable+xattrTableLen, i.xattr, table.IDs, &id, "the table of attributes' numbers"); err != nil {
		return nil, err
	}
	x := xattrReader{v: v, start: table.Start}
	m, err := x.at(id.Xattrs)
	if err != nil {
		return nil, err
	}
	for range id.Count {
		if err := x.attribute(m); err != nil {
			return nil, err
		}
	}
	return x.list, nil
}

// xattrReader reads the attributes of an inode.
type xattrReader struct {
	v     *readVolume
	start uint64 // of the table
	list  []filetree.Xattr
	bytes int
}

func (x *xattrReader) at(ref metaRef) (*metaReader, error) {
	return x.v.metaAt(x.start, x.v.sb.XattrTable, ref, "the table of attributes")
}

// attribute reads one attribute.
func (x *xattrReader) attribute(m *metaReader) error {
	var e xattrEntry
	if err := m.decode(&e); err != nil {
		return err
	}
	name := make([]byte, e.NameLen)
	if err := m.read(name); err != nil {
		return err
	}
	prefix := int(e.Type &^ xattrElsewhere)
	if prefix >= len(xattrPrefixes) {
		return fmt.Errorf("%w: extended attribute %.30q of namespace %d: want %d to %d", volume.ErrFeature, name, prefix, 0, len(xattrPrefixes)-1)
	}
	value, err := x.value(m, e.Type&xattrElsewhere != 0)
	if err != nil {
		return err
	}
	if x.bytes += len(name) + len(value) + 8; x.bytes > maxXattrs {
		return damaged("file has extended attributes of more than %d bytes", maxXattrs)
	}
	x.list = append(x.list, filetree.Xattr{Name: xattrPrefixes[prefix] + string(name), Value: value})
	return nil
}

// value reads a value, in place of which there may be where it is.
func (x *xattrReader) value(m *metaReader, elsewhere bool) ([]byte, error) {
	n, err := m.uint32()
	if err != nil {
		return nil, err
	}
	if elsewhere {
		if n != 8 {
			return nil, damaged("place of an extended attribute's value has %d bytes: want 8", n)
		}
		var ref metaRef
		if err := m.decode(&ref); err != nil {
			return nil, err
		}
		if m, err = x.at(ref); err != nil {
			return nil, err
		}
		if n, err = m.uint32(); err != nil {
			return nil, err
		}
	}
	if n > filetree.MaxXattr {
		return nil, damaged("extended attribute has a value of %d bytes: want at most %d", n, filetree.MaxXattr)
	}
	value := make([]byte, n)
	return value, m.read(value)
}

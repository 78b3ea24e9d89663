package erofs

import (
	"fmt"
	"sync"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/xattr"
	"github.com/drivebay/drivebay/image/volume"
)

// xattrLongPrefix marks, in the number of a namespace, that of a prefix of its own.
const xattrLongPrefix = 0x80

// xattrs returns the extended attributes of an inode: the places of those that
// other inodes may have as well, and the inode's own.
func (v *readVolume) xattrs(i *readInode) ([]filetree.Xattr, error) {
	if i.xattrCount == 0 {
		return nil, nil
	}
	b, err := v.readAt(i.body, i.tail-i.body, "attributes of an inode")
	if err != nil {
		return nil, err
	}
	count := int(b[4]) // h_shared_count
	if len(b) < xattrHeaderLen+4*count {
		return nil, damaged("inode %d has %d shared attributes in %d bytes", i.nid, count, len(b))
	}
	var list []filetree.Xattr
	for id := b[xattrHeaderLen:][:4*count]; len(id) > 0; id = id[4:] {
		x, err := v.sharedXattr(le.Uint32(id))
		if err != nil {
			return nil, fmt.Errorf("inode %d: %w", i.nid, err)
		}
		list = append(list, x)
	}
	for own := b[xattrHeaderLen+4*count:]; len(own) >= xattrEntryLen; {
		var e xattrEntry
		e.take(own)
		if len(own) < e.size() {
			return nil, damaged("inode %d has an attribute of %d bytes where there are %d", i.nid, e.size(), len(own))
		}
		body := own[xattrEntryLen:e.size()]
		own = own[e.size():]
		if e == (xattrEntry{}) {
			continue // what has been left free
		}
		x, err := e.xattr(body)
		if err != nil {
			return nil, fmt.Errorf("inode %d: %w", i.nid, err)
		}
		list = append(list, x)
	}
	return list, nil
}

// sharedAttrs are the shared attributes that have been read, by their places. They
// do not overlap, so that they are never more than the volume is.
type sharedAttrs struct {
	mu    sync.Mutex
	known map[uint32]filetree.Xattr
	bytes int64
}

// sharedXattr returns the attribute at a place in the shared ones, which counts
// four bytes.
func (v *readVolume) sharedXattr(id uint32) (filetree.Xattr, error) {
	s := &v.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, ok := s.known[id]; ok {
		return x, nil
	}
	at := int64(v.sb.XattrBlock)*v.blockSize + int64(id)*4
	b, err := v.readAt(at, xattrEntryLen, "a shared attribute")
	if err != nil {
		return filetree.Xattr{}, err
	}
	var e xattrEntry
	e.take(b)
	if b, err = v.readAt(at+xattrEntryLen, int64(e.size()-xattrEntryLen), "a shared attribute"); err != nil {
		return filetree.Xattr{}, err
	}
	x, err := e.xattr(b)
	if err != nil {
		return x, err
	}
	if s.bytes += int64(e.size()); s.bytes > v.used {
		return x, damaged("shared attributes overlap: they have %d bytes up to the one at %d, in a volume of %d", s.bytes, at, v.used)
	}
	if s.known == nil {
		s.known = map[uint32]filetree.Xattr{}
	}
	s.known[id] = x
	return x, nil
}

// xattr returns an attribute as system calls have it. Its name and value are at
// the start of b, of which nothing is kept.
func (e *xattrEntry) xattr(b []byte) (filetree.Xattr, error) {
	name := string(b[:e.nameLen])
	prefix, ok := xattr.Prefix(e.index)
	switch {
	case e.index&xattrLongPrefix != 0:
		return filetree.Xattr{}, fmt.Errorf("%w: attribute %q has the long prefix %d", volume.ErrFeature, name, e.index&^xattrLongPrefix)
	case !ok || xattr.IsACL(e.index) != (name == ""):
		return filetree.Xattr{}, fmt.Errorf("%w: attribute %q of namespace %d", volume.ErrFeature, name, e.index)
	}
	value := append([]byte(nil), b[e.nameLen:][:e.valueLen]...)
	return filetree.Xattr{Name: prefix + name, Value: value}, nil
}

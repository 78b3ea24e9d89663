package ext4

import (
	"fmt"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/xattr"
	"github.com/drivebay/drivebay/image/volume"
)

// Numbers of attributes' namespaces beside those that are written here
// (fs/ext4/xattr.h). Neither is for users.
const (
	xattrSystem     = 7 // "data": what of an inline content does not fit i_block
	xattrEncryption = 9
)

// xattrs returns the extended attributes of an inode: those in it, and those in its
// block.
func (v *readVolume) xattrs(i *readInode) ([]filetree.Xattr, error) {
	var list []filetree.Xattr
	add := func(a attr) error {
		if a.index == xattrSystem && a.name == "data" || a.index == xattrEncryption {
			return nil
		}
		x, err := a.xattr()
		list = append(list, x)
		return err
	}
	if err := v.inodeAttrs(i, add); err != nil {
		return nil, err
	}
	block := int64(i.FileACLLo)
	if v.incompat(incompat64bit) {
		block |= int64(i.FileACLHigh) << 32
	}
	if block == 0 {
		return list, nil
	}
	return list, v.blockAttrs(i, block, add)
}

// inlineRest returns what of an inline content does not fit i_block.
func (v *readVolume) inlineRest(i *readInode) (rest []byte, err error) {
	err = v.inodeAttrs(i, func(a attr) error {
		if a.index == xattrSystem && a.name == "data" {
			rest = a.value
		}
		return nil
	})
	return rest, err
}

// inodeAttrs calls fn for each attribute in an inode. They are behind its fields,
// with places of values that count from the first entry.
func (v *readVolume) inodeAttrs(i *readInode, fn func(attr) error) error {
	at := goodOldInode + int64(i.ExtraIsize)
	if v.inodeSize < at+4 || v.inodeSize == goodOldInode || le.Uint32(i.raw[at:]) != xattrMagic {
		return nil
	}
	r := attrReader{v: v, b: i.raw[at+4:], what: fmt.Sprintf("inode %d", i.ino)}
	return r.read(0, fn)
}

// blockAttrs calls fn for each attribute in a block (struct ext4_xattr_header).
func (v *readVolume) blockAttrs(i *readInode, block int64, fn func(attr) error) error {
	what := fmt.Sprintf("block %d of attributes of inode %d", block, i.ino)
	b, err := v.block(block, what)
	if err != nil {
		return err
	}
	if magic, n := le.Uint32(b), le.Uint32(b[8:]); magic != xattrMagic || n != 1 {
		return damaged("%s has the magic number %#08x and %d blocks: want %#08x and 1", what, magic, n, uint32(xattrMagic))
	}
	if v.checksums() {
		const at = 16 // h_checksum
		sum := csum32(v.seed, uint32(block), uint32(block>>32))
		sum = crc32c(sum, b[:at])
		sum = crc32cU32(sum, 0)
		sum = crc32c(sum, b[at+4:])
		if err := checkSum(le.Uint32(b[at:]), sum, "%s", what); err != nil {
			return err
		}
	}
	r := attrReader{v: v, b: b, what: what}
	return r.read(xattrBlockHead, fn)
}

// attrReader reads attributes: entries from one end of b on, values somewhere.
type attrReader struct {
	v    *readVolume
	b    []byte
	what string
}

// read calls fn for each entry (struct ext4_xattr_entry) from a place on, up to one
// whose first four bytes are zero.
func (r *attrReader) read(at int, fn func(attr) error) error {
	for ; at+4 <= len(r.b) && le.Uint32(r.b[at:]) != 0; at += pad4(xattrEntryLen + int(r.b[at])) {
		nameLen := int(r.b[at])
		if at+xattrEntryLen+nameLen > len(r.b) {
			return damaged("%s has an attribute at %d with a name of %d bytes, past the end at %d", r.what, at, nameLen, len(r.b))
		}
		e := r.b[at:]
		a := attr{index: e[1], name: string(e[xattrEntryLen:][:nameLen])}
		var err error
		if a.value, err = r.value(e); err != nil {
			return fmt.Errorf("attribute %q of namespace %d: %w", a.name, a.index, err)
		}
		if err := fn(a); err != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
	}
	return nil
}

// value returns the value of an entry.
func (r *attrReader) value(e []byte) ([]byte, error) {
	offset, ino, size := int64(le.Uint16(e[2:])), le.Uint32(e[4:]), int64(le.Uint32(e[8:]))
	switch {
	case ino != 0 && r.v.incompat(incompatEAInode):
		return r.v.inodeValue(ino, size)
	case size == 0:
		return nil, nil
	case offset+size > int64(len(r.b)):
		return nil, damaged("%s has a value of %d bytes at %d, past the end at %d", r.what, size, offset, len(r.b))
	}
	return append([]byte(nil), r.b[offset:offset+size]...), nil
}

// inodeValue returns a value that is the content of an inode of its own (the
// feature ea_inode).
func (v *readVolume) inodeValue(ino uint32, size int64) ([]byte, error) {
	i, err := v.inode(ino)
	if err != nil {
		return nil, err
	}
	has, err := v.sizeOf(i)
	switch {
	case err != nil:
		return nil, err
	case i.Flags&flagEAInode == 0:
		return nil, damaged("inode %d is not a value's", ino)
	case size != has || size > filetree.MaxXattr:
		return nil, damaged("value in inode %d has %d bytes: want %d, and at most %d", ino, has, size, filetree.MaxXattr)
	}
	return v.content(i, size)
}

// xattr returns an attribute as system calls have it.
func (a *attr) xattr() (filetree.Xattr, error) {
	prefix, ok := xattr.Prefix(a.index)
	if !ok {
		return filetree.Xattr{}, fmt.Errorf("%w: attribute %q of namespace %d", volume.ErrFeature, a.name, a.index)
	}
	value := a.value
	var err error
	if xattr.IsACL(a.index) {
		value, err = vfsACL(value)
	}
	return filetree.Xattr{Name: prefix + a.name, Value: value}, err
}

// vfsACL is the inverse of [diskACL].
func vfsACL(value []byte) ([]byte, error) {
	if len(value) < 4 || le.Uint32(value) != aclVersionDisk {
		return nil, damaged("access control list %#x: want one of version %d", value[:min(4, len(value))], aclVersionDisk)
	}
	out := le.AppendUint32(nil, aclVersionVFS)
	for e := value[4:]; len(e) > 0; {
		if len(e) < 4 {
			return nil, damaged("access control list has %d bytes at its end: want entries of 4 or 8", len(e))
		}
		tag := le.Uint16(e)
		out = append(out, e[:4]...)
		e = e[4:]
		switch tag {
		case aclUserObj, aclGroupObj, aclMask, aclOther:
			out = le.AppendUint32(out, ^uint32(0)) // no ID
			continue
		case aclUser, aclGroup:
		default:
			return nil, damaged("access control list has an entry of tag %#x", tag)
		}
		if len(e) < 4 {
			return nil, damaged("access control list has an entry of tag %#x without an ID", tag)
		}
		out = append(out, e[:4]...)
		e = e[4:]
	}
	return out, nil
}

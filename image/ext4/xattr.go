package ext4

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/xattr"
)

// Constants of extended attributes (fs/ext4/xattr.h).
const (
	xattrMagic      = 0xea020000
	xattrEntryLen   = 16 // without the name
	xattrBlockHead  = 32
	xattrInodeStart = 128 + extraSize + 4 // in an inode, behind the magic
	maxXattrRefs    = 1024                // EXT4_XATTR_REFCOUNT_MAX
)

// attr is an extended attribute as ext4 has it.
type attr struct {
	index uint8
	name  string // without the prefix
	value []byte
}

// size returns the bytes that the entry and the value take.
func (a *attr) size() int { return pad4(xattrEntryLen+len(a.name)) + pad4(len(a.value)) }

func pad4(n int) int { return (n + 3) &^ 3 }

// newAttr turns an attribute of the tree into one of ext4.
func newAttr(x filetree.Xattr) (attr, error) {
	index, name, ok := xattr.Split(x.Name)
	if !ok {
		return attr{}, fmt.Errorf("extended attribute %s: %w: want %s", x.Name, ErrUnsupported, xattr.Names)
	}
	value := x.Value
	if xattr.IsACL(index) {
		var err error
		if value, err = diskACL(value); err != nil {
			return attr{}, fmt.Errorf("extended attribute %s: %w", x.Name, err)
		}
	}
	return attr{index, name, value}, nil
}

// splitAttrs returns what is kept in the inode and what in a block of its own,
// each in the order that the kernel searches a block in (ext4_xattr_cmp).
func splitAttrs(n filetree.Node, blockSize int64) (inInode, inBlock []attr, err error) {
	room := inodeSize - xattrInodeStart - 4
	blockRoom := int(blockSize) - xattrBlockHead - 4
	var all []attr
	for _, x := range n.Xattrs() {
		a, err := newAttr(x)
		if err != nil {
			return nil, nil, fileError(n, err)
		}
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b attr) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
	})
	need := 0
	for _, a := range all {
		if a.size() <= room {
			room -= a.size()
			inInode = append(inInode, a)
			continue
		}
		need += a.size()
		inBlock = append(inBlock, a)
	}
	if need > blockRoom {
		return nil, nil, fileError(n, fmt.Errorf("%w: extended attributes of %d bytes beyond the inode's, want at most %d with blocks of %d",
			ErrUnsupported, need, blockRoom, blockSize))
	}
	return inInode, inBlock, nil
}

// putAttrs writes entries from offset at on, and their values from the end of b
// downwards. Places of values count from the start of b.
func putAttrs(b []byte, at int, attrs []attr, hash bool) {
	le := binary.LittleEndian
	end := len(b)
	for i := range attrs {
		a := &attrs[i]
		e := b[at:]
		e[0] = uint8(len(a.name))
		e[1] = a.index
		le.PutUint32(e[8:], uint32(len(a.value)))
		if len(a.value) > 0 {
			end -= pad4(len(a.value))
			copy(b[end:], a.value)
			le.PutUint16(e[2:], uint16(end))
		}
		if hash {
			le.PutUint32(e[12:], a.hash())
		}
		copy(e[xattrEntryLen:], a.name)
		at += pad4(xattrEntryLen + len(a.name))
	}
}

// hash is ext4_xattr_hash_entry, by which the kernel finds equal blocks.
func (a *attr) hash() uint32 {
	h := uint32(0)
	for _, c := range []byte(a.name) {
		h = h<<5 ^ h>>27 ^ uint32(c)
	}
	var word [4]byte
	for v := a.value; len(v) > 0; v = v[min(4, len(v)):] {
		word = [4]byte{}
		copy(word[:], v)
		h = h<<16 ^ h>>16 ^ binary.LittleEndian.Uint32(word[:])
	}
	return h
}

// putAttrBlock fills a block of attributes, all but the count of its users and
// the checksum.
func putAttrBlock(b []byte, attrs []attr) {
	clear(b)
	le := binary.LittleEndian
	le.PutUint32(b[0:], xattrMagic)
	le.PutUint32(b[8:], 1) // blocks
	sum := uint32(0)
	for i := range attrs {
		h := attrs[i].hash()
		if h == 0 {
			sum = 0 // ext4_xattr_rehash: not to be shared
			break
		}
		sum = sum<<16 ^ sum>>16 ^ h
	}
	le.PutUint32(b[12:], sum)
	putAttrs(b, xattrBlockHead, attrs, true)
}

// sealAttrBlock sets the count of users and the checksum of a block.
func (p *plan) sealAttrBlock(b []byte, refs uint32, block int64) {
	le := binary.LittleEndian
	le.PutUint32(b[4:], refs)
	sum := crc32cU32(crc32cU32(p.seed, uint32(block)), uint32(block>>32))
	le.PutUint32(b[16:], crc32c(sum, b))
}

// putInodeAttrs writes a node's attributes into its inode.
func putInodeAttrs(b []byte, n filetree.Node, blockSize int64) error {
	attrs, _, err := splitAttrs(n, blockSize)
	if err != nil || len(attrs) == 0 {
		return err
	}
	binary.LittleEndian.PutUint32(b[xattrInodeStart-4:], xattrMagic)
	putAttrs(b[xattrInodeStart:], 0, attrs, false)
	return nil
}

// xattrBlock is a block of attributes that one or more inodes have.
type xattrBlock struct {
	owner uint32 // the first of the inodes, with which the block lies
	refs  uint32
	start int64
}

// xattrRef is an inode that has a block of attributes.
type xattrRef struct{ ino, block uint32 }

// xattrSharing finds files with equal blocks of attributes.
type xattrSharing struct {
	buf  []byte
	seen map[[sha256.Size]byte]uint32 // into plan.xattrBlocks
}

// scanXattrs enters the attributes of a node that has some.
func (p *plan) scanXattrs(ino uint32, n filetree.Node) error {
	_, inBlock, err := splitAttrs(n, p.blockSize)
	if err != nil || len(inBlock) == 0 {
		return err
	}
	s := &p.sharing
	if s.seen == nil {
		s.buf = make([]byte, p.blockSize)
		s.seen = map[[sha256.Size]byte]uint32{}
	}
	putAttrBlock(s.buf, inBlock)
	key := sha256.Sum256(s.buf)
	i, ok := s.seen[key]
	if !ok || p.xattrBlocks[i].refs == maxXattrRefs {
		i = uint32(len(p.xattrBlocks))
		s.seen[key] = i
		p.xattrBlocks = append(p.xattrBlocks, xattrBlock{owner: ino})
		p.dataBlocks++
	}
	p.xattrBlocks[i].refs++
	p.xattrRefs = append(p.xattrRefs, xattrRef{ino, i})
	return nil
}

// xattrBlockOf returns the block of attributes of an inode, nil for none.
func (p *plan) xattrBlockOf(ino uint32) *xattrBlock {
	i, ok := slices.BinarySearchFunc(p.xattrRefs, ino, func(r xattrRef, ino uint32) int { return cmp.Compare(r.ino, ino) })
	if !ok {
		return nil
	}
	return &p.xattrBlocks[p.xattrRefs[i].block]
}

// placeXattrs gives an inode its block of attributes, one of its own or one that
// another inode before it has.
func (p *plan) placeXattrs(a *allocator, ino uint32, pl *placement) {
	b := p.xattrBlockOf(ino)
	if b == nil {
		return
	}
	if b.owner == ino {
		if start := a.take(1).start; b.start != start { // a plan is not changed once it is made
			b.start = start
		}
	}
	pl.xattr = b.start
	pl.blocks++
}

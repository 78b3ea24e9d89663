package erofs

import (
	"math"

	"github.com/drivebay/drivebay/image/filetree"
)

// shape is what an inode takes on the volume: a place among the metadata, for itself
// and its attributes and then a tail of its content or a table of chunks, and blocks
// for the rest.
type shape struct {
	extended bool
	layout   uint16
	links    int
	size     int64  // of the content, in bytes
	xattrs   []byte // behind the inode
	tail     int    // of the content, in bytes, behind the attributes
	blocks   int64  // of the content
	chunks   chunking
	twin     *twin // of a content that others have, too
}

// shape works out the shape of a node. It is the same each time.
func (p *plan) shape(n filetree.Node) (shape, error) {
	s := shape{links: n.Links()}
	var err error
	if s.xattrs, err = p.sharing.bodyOf(n); err != nil {
		return s, err
	}
	switch n.UnixMode() & filetree.ModeType {
	case filetree.ModeRegular:
		s.size = n.Size()
	case filetree.ModeSymlink:
		s.size = int64(len(n.Target()))
	case filetree.ModeDir:
		s.size, s.links = measureDir(n, int(p.blockSize))
	}
	s.extended = s.size > math.MaxUint32 || s.links > math.MaxUint16 ||
		n.UID() > math.MaxUint16 || n.GID() > math.MaxUint16 || !n.ModTime().Equal(p.time)
	if s.twin = p.twins[uint32(n.ID())]; s.twin != nil {
		s.layout = layoutPlain
		if s.twin.first == uint32(n.ID()) {
			s.blocks = ceilDiv(s.size, p.blockSize)
		}
		return s, nil
	}
	s.divide(p.blockSize)
	if !hasHoles(n) {
		return s, nil
	}
	chunks, ok, err := p.chunk(n, s.blocks*p.blockSize+int64(s.tail))
	if err != nil {
		return s, fileError(n, err)
	}
	if ok {
		s.layout, s.tail, s.chunks, s.blocks = layoutChunks, 0, chunks, chunks.blocks
	}
	return s, nil
}

// divide says which part of the content is in blocks of its own. The rest has to be
// in one block with the inode, and is where it fits there; of attributes that fill
// more than a block nothing is behind.
func (s *shape) divide(blockSize int64) {
	tail := int(s.size % blockSize)
	if tail == 0 || s.headLen()+tail > int(blockSize) {
		s.layout, s.blocks = layoutPlain, ceilDiv(s.size, blockSize)
		return
	}
	s.layout, s.tail, s.blocks = layoutInline, tail, s.size/blockSize
}

// inodeLen returns the length of the inode itself.
func (s *shape) inodeLen() int {
	if s.extended {
		return extendedLen
	}
	return compactLen
}

// headLen returns the length of the inode with its attributes.
func (s *shape) headLen() int { return s.inodeLen() + len(s.xattrs) }

// metaLen returns the length of all that is among the metadata.
func (s *shape) metaLen() int { return s.headLen() + s.tail + int(s.chunks.count)*chunkEntryLen }

package erofs

import (
	"fmt"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/rofs"
	"github.com/drivebay/drivebay/image/volume"
)

// open opens the content of a regular file.
func (v *readVolume) open(nid uint64) (filetree.Content, error) {
	i, err := v.inode(nid)
	if err != nil {
		return nil, err
	}
	r, err := v.content(i)
	if err != nil {
		return nil, err
	}
	return rofs.NewContent(r, r.Size), nil
}

// content returns what reads the content of an inode.
func (v *readVolume) content(i *readInode) (*rofs.RunReader, error) {
	r := &rofs.RunReader{Volume: v.r, Size: int64(i.size)}
	var err error
	switch i.layout {
	case layoutPlain, layoutInline:
		r.Runs, err = v.flat(i)
	case layoutChunks:
		r.Runs, err = v.chunks(i)
	default:
		err = fmt.Errorf("%w: content of inode %d is compressed", volume.ErrFeature, i.nid)
	}
	return r, err
}

// flat returns the places of a content in one piece, or in two: what does not fill
// a block at its end may be behind the inode, in the same block as that is.
func (v *readVolume) flat(i *readInode) ([]rofs.Run, error) {
	size := int64(i.size)
	if size == 0 {
		return nil, nil
	}
	var runs []rofs.Run
	inBlocks, start := size, int64(i.data)*v.blockSize
	if i.layout == layoutInline {
		inBlocks = (size - 1) / v.blockSize * v.blockSize
		tail := size - inBlocks
		if end := i.tail%v.blockSize + tail; end > v.blockSize || i.tail+tail > v.used {
			return nil, damaged("the last %d bytes of inode %d are at %d: want them in one block of %d", tail, i.nid, i.tail, v.blockSize)
		}
		runs = []rofs.Run{{Offset: inBlocks, At: i.tail, Length: tail}}
	}
	if inBlocks == 0 {
		return runs, nil
	}
	if start > v.used || inBlocks > v.used-start {
		return nil, damaged("inode %d has %d bytes at block %d: want them before block %d", i.nid, inBlocks, i.data, v.sb.Blocks)
	}
	return append([]rofs.Run{{At: start, Length: inBlocks}}, runs...), nil
}

// Of the format of a file in chunks, which is in place of its first block.
const (
	chunkBits    = 0x1f // log2 of a chunk's length in blocks
	chunkIndexes = 0x20 // entries of the table have 8 bytes, the last 4 of which are the block
)

// chunks returns the places of a content in chunks. What is in none is a hole.
func (v *readVolume) chunks(i *readInode) ([]rofs.Run, error) {
	format, size := i.data&0xffff, int64(i.size)
	if format&^(chunkBits|chunkIndexes) != 0 {
		return nil, fmt.Errorf("%w: inode %d has chunks of the format %#x", volume.ErrFeature, i.nid, format)
	}
	entry := int64(chunkEntryLen)
	if format&chunkIndexes != 0 {
		entry = chunkIndexLen
	}
	unit := v.blockSize << (format & chunkBits) // of at most 1<<47
	count := ceilDiv(size, unit)
	if count > v.used/entry {
		return nil, damaged("inode %d has %d chunks: want at most %d, the table of which fits the volume", i.nid, count, v.used/entry)
	}
	b, err := v.readAt(ceilDiv(i.tail, entry)*entry, count*entry, "a table of chunks")
	if err != nil {
		return nil, err
	}
	var runs []rofs.Run
	for k := range count {
		block := le.Uint32(b[k*entry+entry-4:])
		if block == nullBlock {
			continue
		}
		run := rofs.Run{Offset: k * unit, At: int64(block) * v.blockSize, Length: min(unit, size-k*unit)}
		if run.At > v.used || run.Length > v.used-run.At {
			return nil, damaged("chunk %d of inode %d is %d bytes at block %d: want them before block %d", k, i.nid, run.Length, block, v.sb.Blocks)
		}
		runs = rofs.AppendRun(runs, run)
	}
	return runs, nil
}

// ranges returns where a regular file holds data, nil for everywhere. What is
// compressed holds some everywhere.
func (v *readVolume) ranges(i *readInode) ([]filetree.Range, error) {
	if i.layout != layoutChunks {
		return nil, nil
	}
	runs, err := v.chunks(i)
	if err != nil {
		return nil, err
	}
	data := []filetree.Range{}
	for _, r := range runs {
		if last := len(data) - 1; last >= 0 && data[last].End() == r.Offset {
			data[last].Length += r.Length
		} else {
			data = append(data, filetree.Range{Offset: r.Offset, Length: r.Length})
		}
	}
	if len(data) == 1 && data[0] == (filetree.Range{Length: int64(i.size)}) {
		return nil, nil
	}
	return data, nil
}

package squashfs

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/rofs"
)

// dataBlock is a block of a file that is no hole.
type dataBlock struct {
	index  int64 // in the file
	at     uint64
	length uint32 // on the volume, with dataRaw where it is not compressed
}

// fileBlocks calls fn for all blocks of a file that are no holes, in order. What is
// in a fragment is none of them.
func (v *readVolume) fileBlocks(i *readInode, fn func(dataBlock)) error {
	if i.size > math.MaxInt64-maxBlockSize {
		return damaged("file has %d bytes: want less than 2^63", i.size)
	}
	blockSize := uint64(v.sb.BlockSize)
	count := i.size / blockSize
	if i.fragment == noFragment && i.size%blockSize != 0 {
		count++
	}
	at := i.start
	m := *i.blocks // for another round
	for k := range count {
		length, err := m.uint32()
		if err != nil {
			return err
		}
		n := uint64(length &^ dataRaw)
		if n == 0 {
			continue
		}
		if n > blockSize || at > v.sb.InodeTable || n > v.sb.InodeTable-at {
			return damaged("block %d of the file is %d bytes at %d: want at most %d before %d", k, n, at, blockSize, v.sb.InodeTable)
		}
		fn(dataBlock{int64(k), at, length})
		at += n
	}
	return nil
}

// ranges returns the size of a file and the ranges that hold data, nil where there
// is no hole.
func (v *readVolume) ranges(i *readInode) (int64, []filetree.Range, error) {
	blockSize := int64(v.sb.BlockSize)
	data := []filetree.Range{}
	add := func(from, to int64) {
		if n := len(data); n > 0 && data[n-1].End() == from {
			data[n-1].Length += to - from
		} else if from < to {
			data = append(data, filetree.Range{Offset: from, Length: to - from})
		}
	}
	size := int64(i.size)
	err := v.fileBlocks(i, func(b dataBlock) { add(b.index*blockSize, min(size, (b.index+1)*blockSize)) })
	if err != nil {
		return 0, nil, err
	}
	if i.fragment != noFragment {
		add(size/blockSize*blockSize, size)
	}
	if size == 0 || len(data) == 1 && data[0].Length == size {
		data = nil
	}
	return size, data, nil
}

// open opens the content of a regular file.
func (v *readVolume) open(ref metaRef) (filetree.Content, error) {
	i, err := v.inode(ref)
	if err != nil {
		return nil, err
	}
	f := &fileContent{v: v}
	if err := v.fileBlocks(i, func(b dataBlock) { f.blocks = append(f.blocks, b) }); err != nil {
		return nil, err
	}
	f.size = int64(i.size)
	if i.fragment != noFragment {
		if err := v.entry(v.sb.FragmentTable, i.fragment, v.sb.Fragments, &f.fragment, "the table of fragments"); err != nil {
			return nil, err
		}
		f.tailLen, f.tailAt = f.size%int64(v.sb.BlockSize), int64(i.offset)
	}
	return rofs.NewContent(f, f.size), nil
}

// fileContent reads the content of a regular file.
type fileContent struct {
	v      *readVolume
	size   int64
	blocks []dataBlock
	// The last bytes may be in a fragment.
	fragment        fragmentEntry
	tailLen, tailAt int64
}

// ReadAt makes fileContent an [io.ReaderAt]. It is asked for nothing behind the
// end.
func (f *fileContent) ReadAt(p []byte, off int64) (n int, err error) {
	blockSize := int64(f.v.sb.BlockSize)
	for n < len(p) {
		at := off + int64(n)
		if at >= f.size {
			return n, io.EOF
		}
		index := at / blockSize
		length := min(blockSize, f.size-index*blockSize)
		part := p[n:][:min(int64(len(p)-n), index*blockSize+length-at)]
		b, err := f.block(index, length)
		if err != nil {
			return n, err
		}
		if b == nil {
			clear(part)
		} else {
			copy(part, b[at-index*blockSize:])
		}
		n += len(part)
	}
	return n, nil
}

// block returns a block of the file, which has length bytes. nil is a hole.
func (f *fileContent) block(index, length int64) ([]byte, error) {
	if f.tailLen > 0 && index == f.size/int64(f.v.sb.BlockSize) {
		b, err := f.v.dataBlock(f.fragment.Start, f.fragment.Size, "a fragment")
		if err != nil {
			return nil, err
		}
		if int64(len(b)) < f.tailLen || f.tailAt > int64(len(b))-f.tailLen {
			return nil, damaged("the file's end is %d bytes at %d of a fragment: want them in its %d", f.tailLen, f.tailAt, len(b))
		}
		return b[f.tailAt:][:f.tailLen], nil
	}
	i, ok := slices.BinarySearchFunc(f.blocks, index, func(b dataBlock, index int64) int { return cmp.Compare(b.index, index) })
	if !ok {
		return nil, nil
	}
	b, err := f.v.dataBlock(f.blocks[i].at, f.blocks[i].length, "a block")
	if err == nil && int64(len(b)) != length {
		err = damaged("block %d of the file has %d bytes: want %d", index, len(b), length)
	}
	return b, err
}

// dataBlock returns a block of data.
func (v *readVolume) dataBlock(at uint64, length uint32, what string) ([]byte, error) {
	if b, ok := v.data.get(at); ok {
		return b.b, nil
	}
	if n := length &^ dataRaw; n > v.sb.BlockSize {
		return nil, damaged("%s of data at %d has %d bytes: want at most %d", what, at, n, v.sb.BlockSize)
	}
	b, err := v.readAt(at, int(length&^dataRaw), what+" of data")
	if err != nil {
		return nil, err
	}
	if length&dataRaw == 0 {
		out := make([]byte, v.sb.BlockSize)
		n, err := v.decompress(out, b)
		if err != nil {
			return nil, blockError(what+" of data", at, err)
		}
		if b = out[:n]; n < len(out)/2 {
			b = slices.Clone(b) // it may be remembered for long
		}
	}
	v.data.put(cachedBlock{at: at, b: b})
	return b, nil
}

// blockError names a block that cannot be decompressed.
func blockError(what string, at uint64, err error) error {
	return fmt.Errorf("decompress %s at %d: %w", what, at, err)
}

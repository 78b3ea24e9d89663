package erofs

import (
	"bytes"
	"iter"
	"slices"

	"github.com/drivebay/drivebay/image/filetree"
)

// entries yields what is in a directory, with "." and "..", in the order of the
// names' bytes: the kernel looks for a name by halving. A name is valid until the
// next one is yielded.
func entries(dir filetree.Node) iter.Seq2[[]byte, filetree.Node] {
	return func(yield func([]byte, filetree.Node) bool) {
		dots := []struct {
			name []byte
			node filetree.Node
		}{{[]byte("."), dir}, {[]byte(".."), dir.Parent()}}
		var buf [filetree.MaxName]byte
		for c := range dir.Children() {
			name := c.AppendName(buf[:0])
			for len(dots) > 0 && bytes.Compare(dots[0].name, name) < 0 {
				if !yield(dots[0].name, dots[0].node) {
					return
				}
				dots = dots[1:]
			}
			if !yield(name, c) {
				return
			}
		}
		for _, d := range dots {
			if !yield(d.name, d.node) {
				return
			}
		}
	}
}

// measureDir returns the length of a directory in bytes, and the number of its links:
// its name, for which its own ".." is counted, its ".", and the ".." of those in it.
func measureDir(dir filetree.Node, blockSize int) (size int64, links int) {
	used := 0
	for name, n := range entries(dir) {
		need := direntLen + len(name)
		if used+need > blockSize {
			size += int64(blockSize)
			used = 0
		}
		used += need
		if n.IsDir() {
			links++
		}
	}
	return size + int64(used), links
}

// dirBlock collects the entries of a block.
type dirBlock struct {
	size    int
	dirents []dirent // with places from the first name on
	names   []byte
}

// fits reports whether there is room for another entry.
func (b *dirBlock) fits(name []byte) bool {
	return (len(b.dirents)+1)*direntLen+len(b.names)+len(name) <= b.size
}

func (b *dirBlock) add(name []byte, nid uint64, fileType uint8) {
	b.dirents = append(b.dirents, dirent{nid, uint16(len(b.names)), fileType})
	b.names = append(b.names, name...)
}

// put writes the block to out, which is zero, and empties it.
func (b *dirBlock) put(out []byte) {
	first := len(b.dirents) * direntLen
	for i, d := range b.dirents {
		d.nameAt += uint16(first)
		d.put(out[i*direntLen:])
	}
	copy(out[first:], b.names)
	b.dirents, b.names = b.dirents[:0], b.names[:0]
}

// fileTypes are the types of files by those that entries have for them
// (include/linux/fs_types.h).
var fileTypes = [...]uint16{
	1: filetree.ModeRegular, 2: filetree.ModeDir, 3: filetree.ModeChar, 4: filetree.ModeBlock,
	5: filetree.ModeFIFO, 6: filetree.ModeSocket, 7: filetree.ModeSymlink,
}

// fileType returns the type of a file in an entry.
func fileType(n filetree.Node) uint8 {
	return uint8(slices.Index(fileTypes[:], n.UnixMode()&filetree.ModeType))
}

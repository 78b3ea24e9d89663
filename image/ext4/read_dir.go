package ext4

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/rofs"
)

// inlineParent is the bytes of an inline directory that hold its parent's inode,
// in place of "." and "..".
const inlineParent = 4

// typesOfEntries are the types of files by those that directories have for them.
var typesOfEntries = map[uint8]fs.FileMode{
	typeRegular: 0, typeDir: fs.ModeDir, typeChar: fs.ModeDevice | fs.ModeCharDevice, typeBlock: fs.ModeDevice,
	typeFIFO: fs.ModeNamedPipe, typeSocket: fs.ModeSocket, typeSymlink: fs.ModeSymlink,
}

// ReadDir lists a directory: its blocks one after the other, whether they have an
// index or not. An index looks like entries that are not in use.
func (v *readVolume) ReadDir(id rofs.ID) ([]rofs.Child, error) {
	i, err := v.inode(uint32(id))
	switch {
	case err != nil:
		return nil, err
	case !i.is(filetree.ModeDir):
		return nil, damaged("inode %d is not a directory", i.ino)
	case i.Flags&flagEncrypt != 0:
		return nil, encrypted(i)
	}
	size, err := v.sizeOf(i)
	if err != nil {
		return nil, err
	}
	// They share nothing. Nobody who walks the tree shall find more than there is.
	if sum := v.listed.Add(id, size); sum > v.blocks<<v.blockBits {
		return nil, damaged("directories have %d bytes up to inode %d: want at most the volume's %d", sum, i.ino, v.blocks<<v.blockBits)
	}
	d := dirReader{v: v, inode: i}
	if i.Flags&flagInlineData != 0 {
		err = d.inline(size)
	} else {
		err = d.blocks(size)
	}
	if err != nil {
		return nil, fmt.Errorf("directory in inode %d: %w", i.ino, err)
	}
	return d.list, nil
}

// dirReader reads a directory.
type dirReader struct {
	v     *readVolume
	inode *readInode
	list  []rofs.Child
}

// inline reads a directory that is in its inode.
func (d *dirReader) inline(size int64) error {
	b, err := d.v.inlineData(d.inode, size)
	if err != nil {
		return err
	}
	if len(b) < inlineParent {
		return damaged("it has %d bytes: want at least %d", len(b), inlineParent)
	}
	first := b[inlineParent:min(len(b), len(d.inode.Block))]
	if err := d.entries(first); err != nil {
		return err
	}
	return d.entries(b[inlineParent+len(first):])
}

// blocks reads a directory of whole blocks, of which none may be missing.
func (d *dirReader) blocks(size int64) error {
	v := d.v
	if size%v.blockSize != 0 {
		return damaged("it has %d bytes: want whole blocks of %d", size, v.blockSize)
	}
	extents, err := v.extents(d.inode, size)
	if err != nil {
		return err
	}
	if err := checkApart(extents); err != nil {
		return err
	}
	b := make([]byte, v.blockSize)
	next := uint32(0)
	for _, e := range extents {
		if e.logical != next {
			break
		}
		for k := range e.length {
			block := e.start + int64(k)
			if err := v.readBlocks(b, block, "a block"); err != nil {
				return err
			}
			err := d.checkBlock(b, e.logical+k)
			if err == nil {
				err = d.entries(b)
			}
			if err != nil {
				return fmt.Errorf("block %d: %w", block, err)
			}
		}
		next += e.length
	}
	if blocks := size >> v.blockBits; int64(next) < blocks {
		return damaged("it has a hole at block %d of %d", next, blocks)
	}
	return nil
}

// checkApart refuses extents that overlap on the volume: a directory is never larger
// than what holds it.
func checkApart(extents []extent) error {
	list := slices.SortedFunc(slices.Values(extents), func(a, b extent) int { return cmp.Compare(a.start, b.start) })
	for i := 1; i < len(list); i++ {
		if a, b := list[i-1], list[i]; b.start < a.start+int64(a.length) {
			return damaged("its blocks %d and %d are both at block %d", b.logical, a.logical+uint32(b.start-a.start), b.start)
		}
	}
	return nil
}

// entries reads the entries in b, which they have to fill (struct ext4_dir_entry_2).
func (d *dirReader) entries(b []byte) error {
	for at := 0; at < len(b); {
		e := b[at:]
		if len(e) < direntHead {
			return damaged("entry at %d has %d bytes: want at least %d", at, len(e), direntHead)
		}
		ino, nameLen := le.Uint32(e), int(e[6])
		length := entryLen(le.Uint16(e[4:]), d.v.blockSize)
		if length < direntLen(1) || length%4 != 0 || length > len(e) || direntHead+nameLen > length {
			return damaged("entry at %d has %d bytes and a name of %d: want more than that, a multiple of 4 up to %d", at, length, nameLen, len(e))
		}
		if name := string(e[direntHead:][:nameLen]); ino != 0 && name != "." && name != ".." {
			if err := d.add(ino, e[7], name); err != nil {
				return err
			}
		}
		at += length
	}
	return nil
}

func (d *dirReader) add(ino uint32, typ uint8, name string) error {
	if name == "" {
		return damaged("entry of inode %d has no name", ino)
	}
	c := rofs.Child{Name: name, ID: rofs.ID(ino), Place: uint64(ino)}
	if !d.v.incompat(incompatFiletype) {
		i, err := d.v.inode(ino)
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		c.Type = typeOfMode(i.Mode)
	} else {
		mode, ok := typesOfEntries[typ]
		if !ok {
			return damaged("entry %q has the type %d: want 1 to %d", name, typ, typeSymlink)
		}
		c.Type = mode
	}
	d.list = append(d.list, c)
	return nil
}

// entryLen returns the length of an entry, which in blocks of 64 KiB needs more
// than its 16 bits (fs/ext4/ext4.h, ext4_rec_len_from_disk).
func entryLen(n uint16, blockSize int64) int {
	if blockSize < 1<<16 {
		return int(n)
	}
	if n == 0 || n == 0xffff {
		return int(blockSize)
	}
	return int(n&^3) | int(n&3)<<16
}

// checkBlock compares the checksum of block number k of a directory, which is in a
// fake entry at its end, or behind the entries of the index.
func (d *dirReader) checkBlock(b []byte, k uint32) error {
	if !d.v.checksums() {
		return nil
	}
	tail := b[len(b)-dirTail:]
	if le.Uint32(tail) == 0 && le.Uint16(tail[4:]) == dirTail && tail[6] == 0 && tail[7] == dirTailType {
		return checkSum(le.Uint32(tail[8:]), crc32c(d.inode.seed, b[:len(b)-dirTail]), "block %d of the directory", k)
	}
	if d.inode.Flags&flagIndex == 0 {
		return damaged("block %d of the directory has no checksum", k)
	}
	at := nodeHead
	if k == 0 {
		at = rootHead
	}
	limit, n := int(le.Uint16(b[at:])), int(le.Uint16(b[at+2:]))
	end := at + limit*indexEntryLen
	if n > limit || end > len(b)-indexTail {
		return damaged("index in block %d of the directory has %d of %d entries: want at most %d", k, n, limit, (len(b)-at-indexTail)/indexEntryLen)
	}
	sum := crc32c(d.inode.seed, b[:at+n*indexEntryLen])
	sum = crc32c(sum, b[end:end+4])
	sum = crc32c(sum, make([]byte, 4))
	return checkSum(le.Uint32(b[end+4:]), sum, "the index in block %d of the directory", k)
}

package squashfs

import (
	"encoding/binary"
	"sync"

	"github.com/drivebay/drivebay/image/internal/rofs"
)

// noListing marks the place of a directory without entries, which has none in the
// table: it is that of its inode. Places in tables have 48 bits.
const noListing = 1 << 63

// ReadDir lists a directory: runs of entries behind headers. Its index leads to
// some of these, and tells nothing more.
func (v *readVolume) ReadDir(id rofs.ID) ([]rofs.Child, error) {
	i, err := v.inode(metaRef(id))
	if err != nil {
		return nil, err
	}
	if i.typ != typeDir {
		return nil, damaged("inode at %#x is not a directory", uint64(i.ref))
	}
	if i.listing <= 0 {
		return nil, nil
	}
	if err := v.listed.add(i, v.maxListings()); err != nil {
		return nil, err
	}
	m, err := v.metaAt(v.sb.DirectoryTable, v.sb.BytesUsed, i.entries, "the table of directories")
	if err != nil {
		return nil, err
	}
	d := dirReader{v: v, m: m, left: i.listing}
	for d.left > 0 {
		if err := d.run(); err != nil {
			return nil, err
		}
	}
	return d.list, nil
}

// dirReader reads a directory.
type dirReader struct {
	v    *readVolume
	m    *metaReader
	left int64 // bytes
	list []rofs.Child
}

// decode reads a structure, which has to be in the directory.
func (d *dirReader) decode(s any) error {
	if d.left -= int64(binary.Size(s)); d.left < 0 {
		return damaged("directory ends in the middle of an entry, %d bytes early", -d.left)
	}
	return d.m.decode(s)
}

// run reads a header and the entries behind it.
func (d *dirReader) run() error {
	var h dirHeader
	if err := d.decode(&h); err != nil {
		return err
	}
	if h.Count >= maxEntries {
		return damaged("directory has %d entries behind a header: want at most %d", int64(h.Count)+1, maxEntries)
	}
	for range h.Count + 1 {
		if err := d.entry(&h); err != nil {
			return err
		}
	}
	return nil
}

func (d *dirReader) entry(h *dirHeader) error {
	var e dirEntry
	if err := d.decode(&e); err != nil {
		return err
	}
	name := make([]byte, int(e.NameLen)+1)
	if len(name) > maxNameLen {
		return damaged("directory has a name of %d bytes: want at most %d", len(name), maxNameLen)
	}
	if d.left -= int64(len(name)); d.left < 0 {
		return damaged("directory ends in the middle of a name, %d bytes early", -d.left)
	}
	if err := d.m.read(name); err != nil {
		return err
	}
	c := rofs.Child{Name: string(name), ID: rofs.ID(newMetaRef(int64(h.Start), int(e.Offset)))}
	switch {
	case e.Type < typeDir || e.Type > typeSocket:
		return damaged("entry %q has the type %d: want %d to %d", name, e.Type, typeDir, typeSocket)
	case c.Name == "." || c.Name == "..":
		return damaged("directory has an entry %q", name)
	}
	c.Type = typeOf(e.Type)
	if e.Type == typeDir {
		i, err := d.v.inode(metaRef(c.ID))
		if err != nil {
			return err
		}
		if c.Place = uint64(i.entries); i.listing <= 0 {
			c.Place = noListing | uint64(c.ID)
		}
	}
	d.list = append(d.list, c)
	return nil
}

// listed tells how much of the table of directories has been listed. Directories
// do not share what is in it, so that it is no more than there can be: nobody who
// walks the tree shall find more in it than the volume has.
type listed struct {
	mu    sync.Mutex
	dirs  map[metaRef]struct{}
	bytes int64
}

// maxListings returns how long the table of directories may be: blocks of it have
// at least three bytes.
func (v *readVolume) maxListings() int64 {
	return int64(v.sb.BytesUsed-v.sb.DirectoryTable) / 3 * metaBlockLen
}

func (l *listed) add(i *readInode, most int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.dirs[i.ref]; ok {
		return nil
	}
	if l.bytes += i.listing; l.bytes > most {
		return damaged("directories have %d bytes up to this one: want at most %d, which is what their table can have", l.bytes, most)
	}
	if l.dirs == nil {
		l.dirs = map[metaRef]struct{}{}
	}
	l.dirs[i.ref] = struct{}{}
	return nil
}

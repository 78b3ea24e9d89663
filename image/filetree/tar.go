package filetree

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
)

// TarOptions says how an archive is read. Its zero value is as [FromTar] and
// [OpenTar] read it.
type TarOptions struct {
	// LastWins lets a member take the place of an earlier one of the same name,
	// as it does where tar unpacks the archive: those that tar -r has added to
	// have such members. Zero refuses them with an [ErrExist].
	LastWins bool
}

// OpenTar returns the tree of a tar archive in a file: see [FromTar]. The file
// stays open until the tree is closed.
func OpenTar(name string) (*Tree, error) { return TarOptions{}.Open(name) }

// Open does [OpenTar] with the options.
func (o TarOptions) Open(name string) (*Tree, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	t, err := o.from(f, f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return t, nil
}

// FromTar returns the tree of a tar archive, as it is or compressed with gzip,
// zstd, xz or bzip2, which is told from its first bytes. It understands the
// formats that [archive/tar] does, and of their extensions extended attributes
// (of GNU tar, star and libarchive), ACLs (as attributes, or as text with numbers for names), SELinux labels,
// sparse files (all forms of GNU tar), and times finer than a second.
//
// Contents are read when an image is written. Where r is an [io.ReaderAt] and an
// [io.Seeker], as a file is, and the archive is not compressed, they are read
// from r, which has to stay open, and as it is, that long. Otherwise the archive
// is unpacked into a temporary file without a name, in [os.TempDir], which is
// there until the tree is closed; it has holes where the archive has zeros.
//
// A directory that comes again sets the metadata of the earlier one. Any other name
// that comes again is an [ErrExist] that tells where both members are; a
// [TarOptions] can let the last win. Nothing replaces a directory that is not empty.
// Names are relative to the root; a leading "./" is dropped. Refused are
// names that are absolute, contain ".." or lead through anything that is not a
// directory, and an archive that has no end. Whiteouts (".wh.name") are files as
// any other: see [Merge].
func FromTar(r io.Reader) (*Tree, error) { return TarOptions{}.From(r) }

// From does [FromTar] with the options.
func (o TarOptions) From(r io.Reader) (*Tree, error) { return o.from(r, nil) }

// from reads a tree from r. The tree closes file, if it is not nil.
func (o TarOptions) from(r io.Reader, file io.Closer) (*Tree, error) {
	in, err := newTarInput(r)
	if err != nil {
		return nil, fmt.Errorf("tar: %w", err)
	}
	src := &tarSource{r: in}
	if _, ok := in.(*randomInput); ok {
		err = src.watch(r)
	}
	t := New()
	tr := &tarReader{TarOptions: o, t: t, in: in, src: src, tar: tar.NewReader(in)}
	tr.part(0)
	if err == nil {
		t, err = tr.tree()
	}
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	src.file = file
	return t, nil
}

// tarReader reads an archive into a tree.
type tarReader struct {
	TarOptions
	t     *Tree
	in    tarInput
	src   *tarSource
	parts []uint16 // numbers of the archive's sources
	tar   *tar.Reader
	begin int64 // of the present member, in bytes of the archive
	end   int64 // of the last member
}

// tree reads all of the archive and returns its tree.
func (r *tarReader) tree() (_ *Tree, err error) {
	defer Recover(&err)
	if err := r.read(); err != nil {
		return nil, err
	}
	return r.t.compacted()
}

func (r *tarReader) read() error {
	for {
		h, err := r.tar.Next()
		if err == io.EOF {
			return r.finish()
		}
		if err != nil {
			return fmt.Errorf("tar: after %d bytes: %w", r.in.pos(), unexpected(err))
		}
		r.begin = r.end
		if err := r.member(h); err != nil {
			return err
		}
	}
}

// finish checks that the archive has ended, not just stopped: with a block of
// zeros at least, and, if it is compressed, a sound checksum.
func (r *tarReader) finish() error {
	if r.in.pos()-r.end < tarBlock {
		return fmt.Errorf("tar: after %d bytes: %w: no end-of-archive marker", r.in.pos(), io.ErrUnexpectedEOF)
	}
	if err := r.in.finish(); err != nil {
		return fmt.Errorf("tar: behind the archive's end: %w", unexpected(err))
	}
	return nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// member adds a member of the archive to the tree.
func (r *tarReader) member(h *tar.Header) error {
	m := member{start: r.in.pos()} // archive/tar reads whole blocks and not a byte ahead
	m.end = m.start
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		r.end = m.end
		return checkGlobal(h)
	case 'V': // GNU: the label of the volume
		r.end = m.start + roundUp(h.Size, tarBlock)
		return nil
	}
	path, err := tarPath(h.Name)
	if err != nil {
		return &PathError{Op: "tar", Path: h.Name, Err: err}
	}
	if h.Typeflag == tar.TypeLink {
		r.end = m.end
		return r.link(path, h.Linkname)
	}
	e, err := tarEntry(h)
	if err == nil && e.Mode.IsRegular() {
		m.end += roundUp(e.Size, tarBlock)
		e.Data, err = m.sparse(r.in, r.end, h)
	}
	if err != nil {
		return &PathError{Op: "tar", Path: path, Err: err}
	}
	r.end = m.end
	i, err := r.t.put("tar", path, &e, r.mayRemove)
	if err != nil {
		return err
	}
	if e.Mode.IsRegular() {
		block := m.start / tarBlock
		r.t.setContent(i, r.part(block>>32), uint32(block))
	}
	return nil
}

// part returns the number of the source for a part of the archive of 2 TiB: nodes
// have 32 bits for the block in it.
func (r *tarReader) part(i int64) uint16 {
	for int64(len(r.parts)) <= i {
		base := int64(len(r.parts)) << 32 * tarBlock
		r.parts = append(r.parts, r.t.addSource(tarPart{r.src, base}))
	}
	return r.parts[i]
}

// mayRemove allows a member to take the place of what has come before, where it
// may, but for directories that are not empty.
func (r *tarReader) mayRemove(i uint32) error {
	for range r.t.children(i) {
		return fmt.Errorf("%w: as a directory that is not empty", ErrExist)
	}
	if r.LastWins {
		return nil
	}
	first, err := r.find(Node{r.t, i}.Path())
	if err != nil {
		return fmt.Errorf("%w: looking for the first: %w", ErrExist, err)
	}
	return fmt.Errorf("%w: the archive has it at byte %d and again at %d: want one, or that the last wins", ErrExist, first, r.begin)
}

// find returns where the first member of a name is, in bytes of the archive. It goes
// through the archive again, to say it in an error.
func (r *tarReader) find(path string) (begin int64, err error) {
	in := io.NewSectionReader(r.in, 0, r.begin)
	again := tar.NewReader(in)
	for {
		h, err := again.Next()
		if err != nil {
			return 0, unexpected(err)
		}
		if name, _ := tarPath(h.Name); name == path && h.Typeflag != tar.TypeXGlobalHeader && h.Typeflag != 'V' {
			return begin, nil
		}
		if _, err := io.Copy(io.Discard, again); err != nil {
			return 0, err
		}
		pos, err := in.Seek(0, io.SeekCurrent)
		if err != nil {
			return 0, err
		}
		begin = roundUp(pos, tarBlock)
	}
}

// link adds a hard link. A link to itself changes nothing.
func (r *tarReader) link(path, linkname string) error {
	target, err := tarPath(linkname)
	if err != nil {
		return &PathError{Op: "tar", Path: path, Err: fmt.Errorf("hard link to %q: %w", linkname, err)}
	}
	to, ok := r.t.Lookup(target)
	old, exists := r.t.Lookup(path)
	if ok && exists && old.Inode() == to.Inode() {
		return nil
	}
	if ok && exists && !to.IsDir() {
		if err := r.mayRemove(old.i); err != nil {
			return &PathError{Op: "tar", Path: path, Err: err}
		}
		r.t.remove(old.i)
	}
	_, err = r.t.Link(path, target)
	return err
}

// tarPath returns the path in a tree that a name in an archive stands for.
func tarPath(name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return "", checkPath(name)
	}
	names := strings.Split(name, "/")
	kept := names[:0]
	for _, n := range names {
		if n != "" && n != "." {
			kept = append(kept, n)
		}
	}
	if len(kept) == 0 && name != "" {
		return ".", nil
	}
	path := strings.Join(kept, "/")
	if len(path) > MaxTarget {
		// The kernel takes none that is longer, and it could be a MiB of "a/".
		return path, fmt.Errorf("%w: it is over %d bytes long", ErrBadPath, MaxTarget)
	}
	return path, checkPath(path)
}

// tarTypes are the types of files that an archive has, but for hard links.
var tarTypes = map[byte]uint16{
	tar.TypeReg: ModeRegular, '\x00': ModeRegular, tar.TypeCont: ModeRegular, tar.TypeGNUSparse: ModeRegular,
	tar.TypeDir: ModeDir, tar.TypeSymlink: ModeSymlink, tar.TypeFifo: ModeFIFO,
	tar.TypeChar: ModeChar, tar.TypeBlock: ModeBlock,
}

// tarEntry returns what a header tells of a file that is no hard link.
func tarEntry(h *tar.Header) (e Entry, err error) {
	typ, ok := tarTypes[h.Typeflag]
	if !ok {
		return e, fmt.Errorf("%w: type %q of an archive's member", ErrBadEntry, h.Typeflag)
	}
	e.Mode = FileMode(typ | uint16(h.Mode&0o7777))
	e.ModTime, e.AccessTime, e.ChangeTime = h.ModTime, h.AccessTime, h.ChangeTime
	switch typ {
	case ModeRegular:
		e.Size = h.Size
	case ModeSymlink:
		e.Target = h.Linkname
	case ModeChar, ModeBlock:
		if h.Devmajor < 0 || h.Devmajor > math.MaxUint32 || h.Devminor < 0 || h.Devminor > math.MaxUint32 {
			return e, fmt.Errorf("device %d:%d: %w", h.Devmajor, h.Devminor, ErrBadEntry)
		}
		e.Device = Device{Major: uint32(h.Devmajor), Minor: uint32(h.Devminor)}
	}
	if e.UID, err = tarID(h.Uid); err != nil {
		return e, err
	}
	if e.GID, err = tarID(h.Gid); err != nil {
		return e, err
	}
	e.Xattrs, err = tarXattrs(h.PAXRecords)
	return e, err
}

// tarID returns the number of a user or group, which archive/tar casts to an int.
func tarID(id int) (uint32, error) {
	if strconv.IntSize == 64 && (int64(id) < 0 || int64(id) > math.MaxUint32) {
		return 0, fmt.Errorf("owner %d: %w: want 0 to %d", id, ErrBadEntry, uint32(math.MaxUint32))
	}
	return uint32(id), nil
}

// checkGlobal refuses a header for all following members that would change them:
// archive/tar does not apply it. Those of git and others hold comments.
func checkGlobal(h *tar.Header) error {
	for key := range h.PAXRecords {
		switch key {
		case "path", "linkpath", "size", "uid", "gid", "mtime", "atime", "ctime", "hdrcharset":
		default:
			if !strings.HasPrefix(key, "SCHILY.") && !strings.HasPrefix(key, "GNU.sparse.") {
				continue
			}
		}
		return fmt.Errorf("global header with %q: %w", key, errors.ErrUnsupported)
	}
	return nil
}

func roundUp(n, unit int64) int64 { return (n + unit - 1) / unit * unit }

// tarPart opens the contents of members that start in a part of an archive,
// which it knows by the number of the block.
type tarPart struct {
	*tarSource
	base int64 // of the part in the archive
}

// tarSource is an archive that contents are read from.
type tarSource struct {
	r    tarInput
	file io.Closer // what else is to be closed; nil for nothing
	stat func() (fs.FileInfo, error)
	info fs.FileInfo // what stat has told when the archive was read
}

// watch remembers what r is like, where it is a file that contents are read from.
func (s *tarSource) watch(r io.Reader) (err error) {
	if f, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		s.stat = f.Stat
		s.info, err = f.Stat()
	}
	return err
}

// Close closes the archive, if the tree has opened it, and its unpacked copy.
func (s *tarSource) Close() error {
	err := s.r.Close()
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
		s.file = nil
	}
	return err
}

func (s tarPart) open(n Node) (Content, error) {
	start := s.base + int64(n.t.nodes.at(n.i).key)*tarBlock
	c := &tarContent{src: s.tarSource, size: n.Size(), start: start, data: n.more().data}
	if c.data == nil {
		c.data = []Range{{Offset: 0, Length: c.size}}
	}
	if err := c.unchanged(); err != nil {
		return nil, &PathError{Op: "open", Path: n.Path(), Err: err}
	}
	return c, nil
}

// tarContent is the content of a member: its data lies in the archive without
// the holes between.
type tarContent struct {
	src   *tarSource
	size  int64
	pos   int64
	data  []Range
	cur   int   // the range in data that pos is in, or before
	start int64 // of data[cur] in the archive
}

// Read reads on where the last has ended, from the archive or a hole.
func (c *tarContent) Read(p []byte) (int, error) {
	if c.pos >= c.size {
		return 0, io.EOF
	}
	for c.cur < len(c.data) && c.data[c.cur].End() <= c.pos {
		c.start += c.data[c.cur].Length
		c.cur++
	}
	p = p[:min(int64(len(p)), c.size-c.pos)]
	if c.cur == len(c.data) || c.pos < c.data[c.cur].Offset {
		if c.cur < len(c.data) {
			p = p[:min(int64(len(p)), c.data[c.cur].Offset-c.pos)]
		}
		clear(p)
		c.pos += int64(len(p))
		return len(p), nil
	}
	at := c.data[c.cur]
	p = p[:min(int64(len(p)), at.End()-c.pos)]
	n, err := c.src.r.ReadAt(p, c.start+c.pos-at.Offset)
	c.pos += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Seek sets where the next Read begins.
func (c *tarContent) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.pos
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	for c.cur > 0 && (c.cur == len(c.data) || c.data[c.cur].Offset > offset) {
		c.cur--
		c.start -= c.data[c.cur].Length
	}
	c.pos = offset
	return offset, nil
}

// Close has nothing to close: the archive is the tree's.
func (c *tarContent) Close() error { return nil }

// unchanged tells whether the archive is what it was, where it is a file.
func (c *tarContent) unchanged() error {
	if c.src.stat == nil {
		return nil
	}
	info, err := c.src.stat()
	if err != nil {
		return err
	}
	if old := c.src.info; info.Size() != old.Size() || !info.ModTime().Equal(old.ModTime()) {
		return fmt.Errorf("%w: the archive was written to at %s", ErrChanged, info.ModTime().UTC())
	}
	return nil
}

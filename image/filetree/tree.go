package filetree

import (
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"sync"
	"time"
)

// Tree is a tree of files as an image is to hold it: names and metadata, and
// contents where they are until they are asked for.
//
// The metadata of some 60,000 files is kept in memory, at most a dozen MiB of it.
// What is beyond that lies in temporary files without a name, in [os.TempDir],
// that go with the tree: some 90 bytes for each file, and its extended attributes.
// Where there is no room for them, what is not there yet is kept in memory. A
// temporary file that can be written but not read again is an [ErrLost].
//
// A Tree that is no longer changed, and is sorted, may be read from many
// goroutines.
type Tree struct {
	nodes    nodes
	names    names
	extras   *extras
	index    index
	sources  []source
	contents []Opener   // of nodes made in code
	mu       sync.Mutex // of sorted, and of the making of the index
	sorted   bool       // all children are in order
	dead     bool       // some nodes are not in the tree any more
}

// source opens the contents of nodes. One that is an io.Closer is closed with
// the tree.
type source interface {
	open(n Node) (Content, error)
}

// New returns a tree with an empty root directory, of mode 0755 and owner 0:0.
func New() *Tree {
	t := &Tree{extras: &extras{}, sources: []source{inline{}}, sorted: true}
	t.nodes.add(&node{mode: ModeDir | 0o755, flags: flagImplied})
	_, _ = t.names.add("") // the first fits
	return t
}

// Len returns the number of names in the tree, the root included. Every
// [Node.ID] is below it.
func (t *Tree) Len() int { return t.nodes.len() }

// Root returns the root directory.
func (t *Tree) Root() Node { return Node{t, 0} }

// Node returns the node with a number that [Node.ID] has given.
func (t *Tree) Node(id int) Node { return Node{t, uint32(id)} }

// Lookup returns the node at a slash-separated path, relative to the root and
// clean as [fs.ValidPath] wants it. Symbolic links are not followed.
func (t *Tree) Lookup(path string) (Node, bool) {
	i, ok := uint32(0), true
	if path == "." {
		return t.Root(), true
	}
	for name := range strings.SplitSeq(path, "/") {
		if i, ok = t.child(i, name); !ok {
			return Node{}, false
		}
	}
	return Node{t, i}, true
}

// Add puts an entry at path and returns it. Directories that are missing above
// it are made, with mode 0755, the root's owner and the entry's time. A name
// that is there already is an [ErrExist], but for a directory that is added to
// a directory: that sets its metadata. Path "." is the root itself.
//
// The tree keeps the entry's slices, which may not be changed any more.
func (t *Tree) Add(path string, e Entry) (n Node, err error) {
	defer Recover(&err)
	if e.Mode.IsRegular() && e.Open == nil && e.Data == nil && e.Size > 0 {
		e.Data = []Range{}
	}
	i, err := t.put("add", path, &e, nil)
	if err != nil {
		return Node{}, err
	}
	if e.Mode.IsRegular() {
		t.setContent(i, 0, uint32(len(t.contents)))
		t.contents = append(t.contents, e.Open)
	}
	return Node{t, i}, nil
}

// put does Add but for the content, of which the source knows nothing yet. What
// stands in the way is removed where mayRemove, which may be nil, says so.
func (t *Tree) put(op, path string, e *Entry, mayRemove func(i uint32) error) (uint32, error) {
	fail := func(err error) (uint32, error) { return 0, &PathError{Op: op, Path: path, Err: err} }
	isRoot := path == "." && e.Mode.IsDir()
	if err := checkPath(path); err != nil && !isRoot {
		return fail(err)
	}
	if err := e.check(); err != nil {
		return fail(err)
	}
	if isRoot {
		return 0, t.set(0, e)
	}
	dir, name, err := t.makeParents(path, e.ModTime)
	if err != nil {
		return fail(err)
	}
	i, ok := t.child(dir, name)
	if ok && (!e.Mode.IsDir() || !t.isDir(i)) {
		if mayRemove == nil {
			return fail(ErrExist)
		}
		if err := mayRemove(i); err != nil {
			return fail(err)
		}
		t.remove(i)
		ok = false
	}
	if !ok {
		if i, err = t.append(dir, name); err != nil {
			return fail(err)
		}
	}
	if err := t.set(i, e); err != nil {
		return fail(err)
	}
	return i, nil
}

// Link makes path another name of the node at target, which has to be in the
// tree already and may not be a directory.
func (t *Tree) Link(path, target string) (n Node, err error) {
	defer Recover(&err)
	fail := func(err error) (Node, error) { return Node{}, &PathError{Op: "link", Path: path, Err: err} }
	if err := checkPath(path); err != nil {
		return fail(err)
	}
	old, ok := t.Lookup(target)
	if !ok {
		return fail(fmt.Errorf("target %q: %w", target, ErrNotExist))
	}
	old = old.Inode()
	if old.IsDir() {
		return fail(fmt.Errorf("target %q: %w: it is a directory", target, ErrBadEntry))
	}
	dir, name, err := t.makeParents(path, old.ModTime())
	if err != nil {
		return fail(err)
	}
	if _, ok := t.child(dir, name); ok {
		return fail(ErrExist)
	}
	i, err := t.append(dir, name)
	if err != nil {
		return fail(err)
	}
	t.link(i, old.i)
	return Node{t, i}, nil
}

// link makes node i, which is new, another name of node to.
func (t *Tree) link(i, to uint32) {
	n := t.nodes.at(i)
	n.flags |= flagLink
	n.first = to
	t.nodes.set(i, &n)
	file := t.nodes.at(to)
	file.links++
	t.nodes.set(to, &file)
}

// makeParents returns the directory that is to hold path, and path's last name.
func (t *Tree) makeParents(path string, made time.Time) (dir uint32, name string, err error) {
	rest := path
	for {
		first, more, ok := strings.Cut(rest, "/")
		if !ok {
			return dir, rest, nil
		}
		i, ok := t.child(dir, first)
		switch {
		case !ok:
			if i, err = t.append(dir, first); err == nil {
				root := t.Root()
				err = t.set(i, &Entry{Mode: fs.ModeDir | 0o755, UID: root.UID(), GID: root.GID(), ModTime: made})
				t.setFlags(i, flagImplied)
			}
		case !t.isDir(i):
			err = ErrNotDir
		}
		if err != nil {
			parent := path[:len(path)-len(more)-1]
			return 0, "", fmt.Errorf("parent %q: %w", parent, err)
		}
		dir, rest = i, more
	}
}

// append adds a node without metadata to a directory and returns its index.
func (t *Tree) append(dir uint32, name string) (uint32, error) {
	at, err := t.names.add(name)
	if err != nil {
		return 0, err
	}
	i := t.nodes.add(&node{name: at, parent: dir})
	d := t.nodes.at(dir)
	if d.last == 0 {
		d.first = i
	} else {
		last := t.nodes.at(d.last)
		last.next = i
		t.nodes.set(d.last, &last)
		if string(t.names.at(last.name)) > name {
			d.flags |= flagUnsorted
			t.sorted = false
		}
	}
	d.last = i
	t.nodes.set(dir, &d)
	t.index.added(t, i)
	return i, nil
}

// set gives node i an entry's metadata, which has been checked.
func (t *Tree) set(i uint32, e *Entry) error {
	x := newExtra(e)
	at, err := t.extras.add(&x)
	if err != nil {
		return err
	}
	n := t.nodes.at(i)
	n.flags &^= flagImplied
	n.mode, n.uid, n.gid, n.extra = UnixMode(e.Mode), e.UID, e.GID, at
	n.setModTime(e.ModTime)
	switch n.mode & ModeType {
	case ModeRegular:
		n.setSize(e.Size)
	case ModeChar, ModeBlock:
		n.first, n.last = e.Device.Major, e.Device.Minor
	}
	t.nodes.set(i, &n)
	return nil
}

// setContent says by which key a source knows the content of node i.
func (t *Tree) setContent(i uint32, source uint16, key uint32) {
	n := t.nodes.at(i)
	n.source, n.key = source, key
	t.nodes.set(i, &n)
}

// setFlags adds flags to node i.
func (t *Tree) setFlags(i uint32, flags uint16) {
	n := t.nodes.at(i)
	n.flags |= flags
	t.nodes.set(i, &n)
}

// isDir reports whether node i is a directory.
func (t *Tree) isDir(i uint32) bool { return t.nodes.mode(i)&ModeType == ModeDir }

// name returns the name of node i.
func (t *Tree) name(i uint32) []byte { return t.names.at(t.nodes.name(i)) }

// child returns the node called name in a directory. Most sources have names in
// order, so that most names are the last of their directory, or not there yet.
func (t *Tree) child(dir uint32, name string) (uint32, bool) {
	d := t.nodes.at(dir)
	if d.mode&ModeType != ModeDir || d.last == 0 {
		return 0, false
	}
	last := t.name(d.last)
	if string(last) == name && t.live(d.last) == d.last {
		return d.last, true
	}
	if d.flags&flagUnsorted == 0 && string(last) < name {
		return 0, false
	}
	return t.index.find(t, dir, name)
}

// children yields a directory's nodes in the order of their names' bytes.
func (t *Tree) children(dir uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if !t.isDir(dir) {
			return
		}
		for i := t.live(t.nodes.at(dir).first); i != 0; i = t.next(i) {
			if !yield(i) {
				return
			}
		}
	}
}

// next returns the sibling that follows node i, 0 for none.
func (t *Tree) next(i uint32) uint32 {
	next, _ := t.nodes.next(i)
	return t.live(next)
}

// live returns i, or the first of its next siblings that is in the tree.
func (t *Tree) live(i uint32) uint32 {
	for t.dead && i != 0 {
		next, flags := t.nodes.next(i)
		if flags&flagDead == 0 {
			break
		}
		i = next
	}
	return i
}

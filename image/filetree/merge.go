package filetree

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Layer is a tree that is laid over others by [Merge].
//
// Its patterns are those of .gitignore files, for paths in the layer:
//
//   - A pattern without a slash matches the name of a file anywhere: "*.bak".
//   - One with a slash, other than at its end, matches the path from the layer's
//     root: "/core", "usr/share/doc".
//   - "*", "?" and "[a-z]" are as in [path.Match] and never match a slash.
//   - A name of "**" matches any number of directories, none too: "a/**/b"
//     matches "a/b" and "a/x/y/b". At the end it matches whatever is below.
//   - A slash at the end matches directories only: "cache/".
//
// The root itself is matched by none.
type Layer struct {
	// Tree is the layer's files. nil is none, and a root that nobody has named.
	Tree *Tree
	// To is the directory that they are put into, as a path for [Tree.Add]. Where
	// it is missing it is made. Zero is the root.
	To string
	// Exclude lists patterns of files that are left out. A directory is left out
	// with all that is in it. A pattern that begins with "!" brings back what an
	// earlier one has left out, but for what is in such a directory.
	Exclude []string
	// Overrides are applied in order, so that the last one decides.
	Overrides []Override
	// Whiteouts is that the layer is one of a container image, in which a file
	// ".wh.name" removes name from the layers below and ".wh..wh..opq" all of
	// its directory (OCI image specification 1.1, "Whiteouts").
	Whiteouts bool
}

// Override changes the metadata of a layer's files. What is nil stays as it is.
type Override struct {
	// Match is the pattern of the files, in the form of [Layer]. Zero is all,
	// with the root.
	Match string
	// UID and GID are the numbers of the owner.
	UID, GID *uint32
	// Mode is the permissions, with setuid, setgid and sticky, of all but
	// directories and symbolic links.
	Mode *fs.FileMode
	// DirMode is those of directories.
	DirMode *fs.FileMode
	// ModTime is all of a file's times.
	ModTime *time.Time
}

// Merge returns the tree of layers, the first lowest. A file of a later layer
// takes the place of what has its name, be that a file or a whole directory. A
// directory on a directory adds to it, and has its own metadata: but a directory
// that its layer does not name, and that is there only since something is in it,
// leaves the metadata as they are.
//
// Files that are linked in a layer stay linked, as far as their names survive;
// the content goes with any of them.
//
// Merge takes the trees over: they are part of the result, whose Close closes
// them, and should not be used any more, whether it succeeds or fails.
func Merge(layers ...Layer) (_ *Tree, err error) {
	defer Recover(&err)
	m := &merger{}
	if m.canBuildOn(layers) {
		m.t, layers = layers[0].Tree, layers[1:]
	} else {
		m.t = New()
	}
	for _, l := range layers {
		if err := m.add(&l); err != nil {
			return nil, err
		}
	}
	return m.t.compacted()
}

// merger puts layers into a tree.
type merger struct{ t *Tree }

// canBuildOn reports whether the first layer's tree can be added to as it is:
// memory for a million files is worth that. It may not come again, though.
func (m *merger) canBuildOn(layers []Layer) bool {
	if len(layers) == 0 {
		return false
	}
	l := layers[0]
	return l.Tree != nil && (l.To == "" || l.To == ".") && l.Exclude == nil && l.Overrides == nil && !l.Whiteouts &&
		!slices.ContainsFunc(layers[1:], func(other Layer) bool { return other.Tree == l.Tree })
}

func (m *merger) add(l *Layer) error {
	if l.Tree == nil {
		l.Tree = New()
	}
	l.Tree.Sort()
	p := &layerPutter{t: m.t, layer: l, links: map[uint32]uint32{}}
	if err := p.parse(); err != nil {
		return err
	}
	to, err := p.makeTo()
	if err != nil {
		return err
	}
	p.source = m.t.addSource(treeSource{l.Tree})
	root := l.Tree.Root()
	if err := p.metadata(to, root); err != nil {
		return p.error(root, err)
	}
	return p.dir(to, root)
}

// layerPutter puts a layer into a tree.
type layerPutter struct {
	t         *Tree
	layer     *Layer
	source    uint16
	exclude   []pattern
	overrides []pattern
	links     map[uint32]uint32 // hard-linked files, from the layer to the tree
	names     []string          // on the way to the file
}

func (p *layerPutter) parse() error {
	for _, text := range p.layer.Exclude {
		e, err := parsePattern(text)
		if err != nil {
			return fmt.Errorf("exclude: %w", err)
		}
		p.exclude = append(p.exclude, e)
	}
	for _, o := range p.layer.Overrides {
		var e pattern
		if o.Match != "" {
			var err error
			if e, err = parsePattern(o.Match); err == nil && e.negated {
				err = fmt.Errorf("pattern %q: %w: only one that excludes can be negated", o.Match, path.ErrBadPattern)
			}
			if err != nil {
				return fmt.Errorf("override: %w", err)
			}
		}
		p.overrides = append(p.overrides, e)
	}
	return nil
}

// makeTo returns the directory that the layer is put into.
func (p *layerPutter) makeTo() (uint32, error) {
	if p.layer.To == "" || p.layer.To == "." {
		return 0, nil
	}
	if err := checkPath(p.layer.To); err != nil {
		return 0, &PathError{Op: "merge", Path: p.layer.To, Err: err}
	}
	dir, _, err := p.t.makeParents(p.layer.To+"/x", p.layer.Tree.Root().ModTime())
	if err != nil {
		return 0, &PathError{Op: "merge", Path: p.layer.To, Err: err}
	}
	return dir, nil
}

// dir puts what is in the layer's directory from into the tree's directory to.
func (p *layerPutter) dir(to uint32, from Node) error {
	if p.layer.Whiteouts {
		if err := p.whiteouts(to, from); err != nil {
			return err
		}
	}
	for n := from.firstChild(); n.t != nil; n = n.sibling() {
		name := n.Name()
		p.names = append(p.names, name)
		if !p.excluded(n) && !(p.layer.Whiteouts && strings.HasPrefix(name, whiteout)) {
			if err := p.file(to, n, name); err != nil {
				return err
			}
		}
		p.names = p.names[:len(p.names)-1]
	}
	return nil
}

// file puts the layer's file n, and all below it, into the directory to.
func (p *layerPutter) file(to uint32, n Node, name string) error {
	i, ok := p.t.child(to, name)
	if ok && !(n.IsDir() && p.t.isDir(i)) {
		p.t.remove(i)
		ok = false
	}
	if !ok {
		var err error
		if i, err = p.t.append(to, name); err != nil {
			return p.error(n, err)
		}
	}
	if n.Links() > 1 {
		if first, ok := p.links[n.Inode().i]; ok {
			p.t.link(i, first)
			return nil
		}
		p.links[n.Inode().i] = i
	}
	if err := p.metadata(i, n); err != nil {
		return p.error(n, err)
	}
	if n.IsDir() {
		return p.dir(i, n)
	}
	return nil
}

// metadata gives node i, which is new or a directory as n is, the metadata of n
// and the source of its content.
func (p *layerPutter) metadata(i uint32, n Node) error {
	to, from := p.t.nodes.at(i), n.rec()
	implied := from.flags & flagImplied
	if to.mode != 0 && implied != 0 {
		return nil
	}
	to.flags = to.flags&^flagImplied | implied
	to.mode, to.uid, to.gid, to.sec, to.nsec = from.mode, from.uid, from.gid, from.sec, from.nsec
	if !n.IsDir() {
		to.first, to.last, to.source, to.key = from.first, from.last, p.source, n.Inode().i
	}
	x := *n.more()
	p.override(&to, n, &x)
	var err error
	if to.extra, err = p.t.extras.add(&x); err != nil {
		return err
	}
	p.t.nodes.set(i, &to)
	return nil
}

// override applies what the layer changes of n to its record and its extra.
func (p *layerPutter) override(to *node, n Node, x *extra) {
	for k, over := range p.layer.Overrides {
		if over.Match != "" && (len(p.names) == 0 || !p.overrides[k].matches(p.names, n.IsDir())) {
			continue
		}
		if over.UID != nil {
			to.uid = *over.UID
		}
		if over.GID != nil {
			to.gid = *over.GID
		}
		mode := over.Mode
		if n.IsDir() {
			mode = over.DirMode
		}
		if mode != nil && to.mode&ModeType != ModeSymlink {
			to.mode = to.mode&ModeType | UnixMode(*mode)&^ModeType
		}
		if over.ModTime != nil {
			x.access, x.change = time.Time{}, time.Time{}
			to.setModTime(*over.ModTime)
		}
	}
}

// excluded reports whether n, at the end of the names, is left out.
func (p *layerPutter) excluded(n Node) bool {
	excluded := false
	for i := range p.exclude {
		if e := &p.exclude[i]; excluded == e.negated && e.matches(p.names, n.IsDir()) {
			excluded = !e.negated
		}
	}
	return excluded
}

// Names of files in a layer of a container image that remove others.
const (
	whiteout       = ".wh."
	whiteoutMeta   = whiteout + whiteout // of aufs: nothing that anybody needs
	whiteoutOpaque = whiteoutMeta + ".opq"
)

// whiteouts removes from the directory to what the layer's directory from says.
// It comes before the layer's own files, wherever the names are in the order.
func (p *layerPutter) whiteouts(to uint32, from Node) error {
	for n := from.firstChild(); n.t != nil; n = n.sibling() {
		name, ok := strings.CutPrefix(n.Name(), whiteout)
		if !ok {
			continue
		}
		p.names = append(p.names, n.Name())
		excluded := p.excluded(n)
		p.names = p.names[:len(p.names)-1]
		switch {
		case excluded:
		case n.Name() == whiteoutOpaque:
			for i := range p.t.children(to) {
				p.t.remove(i)
			}
		case strings.HasPrefix(n.Name(), whiteoutMeta):
		default:
			if err := checkName(name); err != nil {
				return p.error(n, fmt.Errorf("whiteout: %w", err))
			}
			if i, ok := p.t.child(to, name); ok {
				p.t.remove(i)
			}
		}
	}
	return nil
}

// error names the file n of the layer.
func (p *layerPutter) error(n Node, err error) error {
	return &PathError{Op: "merge", Path: path.Join(p.layer.To, n.Path()), Err: err}
}

// treeSource opens the files of another tree, which nodes know by their numbers
// there.
type treeSource struct{ t *Tree }

// Close closes the tree.
func (s treeSource) Close() error { return s.t.Close() }

func (s treeSource) open(n Node) (Content, error) {
	return s.t.Node(int(n.t.nodes.at(n.i).key)).Open()
}

package filetree

// remove takes node i and all below it out of the tree. The records stay, and
// names of removed files may still be links to them, until the tree is compacted,
// which has to happen before anybody sees it.
func (t *Tree) remove(i uint32) {
	t.setFlags(i, flagDead)
	t.dead = true
}

// compacted returns t without the records of what has been removed, so that
// numbers have no gaps and each file's inode is one of its names.
func (t *Tree) compacted() (*Tree, error) {
	t.index.drop()
	if !t.dead {
		t.Sort()
		return t, nil
	}
	c := &compacter{
		from:   t,
		to:     &Tree{extras: t.extras, sources: t.sources, contents: t.contents, sorted: true},
		inodes: map[uint32]uint32{},
		dirs:   map[uint32]uint32{},
	}
	c.to.nodes.add(&node{})
	if _, err := c.to.names.add(""); err != nil {
		return nil, err
	}
	return c.to, t.Walk(c.add)
}

// compacter copies the nodes that are in a tree to another.
type compacter struct {
	from, to *Tree
	inodes   map[uint32]uint32 // of hard-linked files
	dirs     map[uint32]uint32 // directories, from old to new
}

func (c *compacter) add(n Node) error {
	i, inode := uint32(0), n.Inode().i
	if n.i != 0 {
		var err error
		if i, err = c.to.append(c.dirs[n.Parent().i], n.Name()); err != nil {
			return err
		}
	}
	if n.IsDir() {
		c.dirs[n.i] = i
	}
	if n.Links() > 1 {
		if first, ok := c.inodes[inode]; ok {
			c.to.link(i, first)
			return nil
		}
		c.inodes[inode] = i
	}
	c.copy(i, inode)
	return nil
}

// copy copies the metadata of the node inode of the old tree to node i.
func (c *compacter) copy(i, inode uint32) {
	n, place := c.from.nodes.at(inode), c.to.nodes.at(i)
	n.name, n.parent, n.next, n.links = place.name, place.parent, 0, 0
	n.flags &= flagImplied
	if n.mode&ModeType == ModeDir {
		n.first, n.last = 0, 0
	}
	c.to.nodes.set(i, &n)
}

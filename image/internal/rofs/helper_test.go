package rofs_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"time"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/rofs"
)

// memory is a volume in memory, whose root directory is 1.
type memory map[rofs.ID]node

type node struct {
	rofs.File
	children []rofs.Child
}

func (m memory) Root() rofs.ID { return 1 }

func (m memory) Stat(id rofs.ID) (rofs.File, error) {
	n, ok := m[id]
	if !ok {
		return rofs.File{}, fmt.Errorf("no file %d", id)
	}
	return n.File, nil
}

func (m memory) ReadDir(id rofs.ID) ([]rofs.Child, error) {
	return append([]rofs.Child{}, m[id].children...), nil
}

var when = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// file is a regular file of one name.
func file(content string) node {
	return node{File: rofs.File{Links: 1, Entry: filetree.Entry{
		Mode: 0o644, Size: int64(len(content)), ModTime: when,
		Open: func() (filetree.Content, error) {
			return rofs.NewContent(bytes.NewReader([]byte(content)), int64(len(content))), nil
		},
	}}}
}

func symlink(target string) node {
	return node{File: rofs.File{Links: 1, Entry: filetree.Entry{Mode: fs.ModeSymlink | 0o777, Target: target, ModTime: when}}}
}

func dir(children ...rofs.Child) node {
	return node{File: rofs.File{Entry: filetree.Entry{Mode: fs.ModeDir | 0o755, ModTime: when}}, children: children}
}

// child names a file, and a directory whose name ends with a slash or a symbolic
// link whose name ends with an at sign.
func child(id rofs.ID, name string) rofs.Child {
	c := rofs.Child{Name: name, ID: id}
	switch last := len(name) - 1; name[last] {
	case '/':
		c.Name, c.Type, c.Place = name[:last], fs.ModeDir, uint64(id)
	case '@':
		c.Name, c.Type = name[:last], fs.ModeSymlink
	}
	return c
}

// sound is a volume with nothing wrong.
func sound() memory {
	linked := file("linked")
	linked.Links = 2
	device := node{File: rofs.File{Links: 1, Entry: filetree.Entry{Mode: fs.ModeDevice | fs.ModeCharDevice | 0o600, ModTime: when}}}
	return memory{
		1:  dir(child(2, "dir/"), child(3, "file"), child(5, "absolute@"), child(6, "loop@"), child(7, "out@"), child(4, "linked")),
		2:  dir(child(4, "also linked"), child(8, "up@"), child(9, "empty/"), rofs.Child{Name: "device", ID: 10, Type: fs.ModeDevice | fs.ModeCharDevice}),
		3:  file("content"),
		4:  linked,
		5:  symlink("/dir/up"),
		6:  symlink("loop"),
		7:  symlink("../../../file"),
		8:  symlink("../file"),
		9:  dir(),
		10: device,
	}
}

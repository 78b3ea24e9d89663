// Package filetree is the model of a tree of files that an image is filled
// from: names, owners, modes, times, links, devices and extended attributes, and
// contents that stay where they are until they are written.
//
// A tree is described, not staged: it may hold files of any owner, devices and
// privileged attributes without anybody being root, and without a copy on disk.
//
// # Where trees come from
//
// A [Tree] is read from a directory ([FromDir]), a tar archive ([OpenTar],
// [FromTar]) or any other file system ([FromFS]), or is made in code ([New],
// [Tree.Add], [Tree.Link]). [Merge] lays trees over each other, as overlays and
// the layers of container images are.
//
// A tree holds its sources open. [Tree.Close] closes them.
//
// # What is in a tree
//
// A [Node] is one name. [Tree.Walk] visits all of them, [Tree.Lookup] finds one,
// [Node.Children] lists a directory. Whatever order the sources have, the order
// of names in a sorted tree is that of their bytes, so that what is made of a tree
// is the same on every machine.
//
// [Node.Stream] reads the content of a regular file, and only where there is
// data. It is then that sources are looked at again, and one that is no longer
// what it was when the tree was made is an [ErrChanged].
//
// # Comparing trees
//
// [Diff] tells in what two trees differ, contents included. The tree of a mounted
// image comes from FromDir of the mount point, that of an image that go-diskfs
// can read from FromFS.
//
// # Hostile input
//
// Names are checked where they come in. No tree holds a name with a slash or a
// NUL, ".", "..", one of over 255 bytes, or a file below something that is not a
// directory; symbolic links are never followed, and nothing outside a source is
// ever read. What is refused is named by a [*PathError].
package filetree

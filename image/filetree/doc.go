// Package filetree is the model of a tree of files that an image is filled
// from: names, owners, modes, times, links, devices and extended attributes, and
// contents that stay where they are until they are written.
//
// A tree is described, not staged: it may hold files of any owner, devices and
// privileged attributes without anybody being root, and without a copy on disk.
// It comes from a directory ([FromDir]), any other file system ([FromFS]), or
// code ([Tree.Add]).
package filetree

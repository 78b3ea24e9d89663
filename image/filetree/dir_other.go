//go:build !linux

package filetree

import "os"

// sysEntry has nothing to add where stat is not Linux's.
func sysEntry(any, *Entry) {}

type dirSource struct{ root *os.Root }

func newDirSource(root *os.Root) (*dirSource, error) { return &dirSource{root}, nil }

// Close closes the directory.
func (s *dirSource) Close() error { return s.root.Close() }

func (s *dirSource) open(n Node) (Content, error) { return s.root.Open(n.Path()) }

// linkedInode finds no hard links: os.SameFile compares pairs only.
func linkedInode(os.FileInfo) (inode, bool) { return inode{}, false }

// readExtra reads nothing: extended attributes and holes are Linux's.
func readExtra(place, string, os.FileInfo, *Entry) error { return nil }

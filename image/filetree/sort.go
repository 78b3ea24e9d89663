package filetree

import (
	"bytes"
	"slices"
)

// Sort puts every directory into the order of its names' bytes. Walk and the
// sources of this package call it; a tree that was built with Add has to be
// sorted before several goroutines read it.
func (t *Tree) Sort() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sorted {
		return
	}
	for i := range uint32(t.nodes.len()) {
		if n := t.nodes.at(i); n.flags&flagUnsorted != 0 {
			t.sortDir(i)
		}
	}
	t.sorted = true
}

func (t *Tree) sortDir(dir uint32) {
	var list nameList
	var numbers []uint32
	for i := range t.children(dir) {
		list.add(string(t.name(i)))
		numbers = append(numbers, i)
	}
	d := t.nodes.at(dir)
	d.flags &^= flagUnsorted
	d.first, d.last = 0, 0
	var last node
	for _, k := range list.sorted() {
		i := numbers[k]
		if d.last == 0 {
			d.first = i
		} else {
			last.next = i
			t.nodes.set(d.last, &last)
		}
		d.last, last = i, t.nodes.at(i)
	}
	if d.last != 0 {
		last.next = 0
		t.nodes.set(d.last, &last)
	}
	t.nodes.set(dir, &d)
}

// nameListLen is the size in bytes of the pieces that a nameList grows by.
const nameListLen = 64 << 10

// nameList is the names of one directory, to be sorted. Those of a million files
// take little more than their bytes, and are not copied as the list grows.
type nameList struct {
	pieces [][]byte
	places []uint32 // of each name: the piece and the offset in it
}

// add appends a name of at most 255 bytes.
func (l *nameList) add(name string) {
	last := len(l.pieces) - 1
	if last < 0 || len(l.pieces[last])+1+len(name) > nameListLen {
		size := nameListLen
		if last < 0 {
			size = 1 << 10 // most directories are small
		}
		l.pieces = append(l.pieces, make([]byte, 0, size))
		last++
	}
	p := l.pieces[last]
	l.places = append(l.places, uint32(last*nameListLen+len(p)))
	l.pieces[last] = append(append(p, byte(len(name))), name...)
}

func (l *nameList) len() int { return len(l.places) }

// at returns name i.
func (l *nameList) at(i uint32) []byte { return l.name(l.places[i]) }

func (l *nameList) name(place uint32) []byte {
	b := l.pieces[place/nameListLen][place%nameListLen:]
	return b[1 : 1+int(b[0])]
}

// sort sorts the names themselves.
func (l *nameList) sort() {
	slices.SortFunc(l.places, func(a, b uint32) int { return bytes.Compare(l.name(a), l.name(b)) })
}

// sorted returns the numbers of the names in the names' order.
func (l *nameList) sorted() []uint32 {
	numbers := make([]uint32, len(l.places))
	for i := range numbers {
		numbers[i] = uint32(i)
	}
	slices.SortFunc(numbers, func(a, b uint32) int { return bytes.Compare(l.at(a), l.at(b)) })
	return numbers
}

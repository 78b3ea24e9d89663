package filetree

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/drivebay/drivebay/image/internal/tempfile"
)

// pageSize is the unit, in bytes, in which pages come and go: small enough that
// what is looked up at random costs little more than the system call.
const pageSize = 4 << 10

// maxPages is how many pages of a list are kept in memory, 4 MiB: all of a tree
// of some 60,000 files.
const maxPages = 1 << 10

type page [pageSize]byte

// pages is a row of bytes that grows at its end. Those that memory has no room
// for, the least used, lie in a temporary file, which is made by the first of
// them: a tree takes a few MiB, however many files it has. It is read and written
// and not mapped, since what is mapped counts as memory in use, too.
//
// Any number of goroutines may read while none changes anything.
type pages struct {
	slots []*slot
	size  uint64 // bytes
	most  int    // pages that are kept in memory; zero is maxPages

	mu     sync.Mutex // of what follows, and of bringing in pages
	file   *tempfile.File
	failed bool // to write to the file: memory has to do
	inUse  int  // pages in memory
	hand   int  // of the clock that finds the page to be given up
}

// slot is the place of a page, nil while it is in the file only. One that has been
// given up stays readable for those who still look at it.
type slot struct {
	page  atomic.Pointer[page]
	used  atomic.Bool // since the hand has passed
	dirty bool        // not in the file as it is
}

// at returns n bytes at off, fewer where the page ends. They may not be changed.
func (p *pages) at(off uint64, n int) []byte {
	s := p.slots[off/pageSize]
	b := s.page.Load()
	if b == nil {
		b = p.bringIn(int(off / pageSize))
	}
	if !s.used.Load() {
		s.used.Store(true)
	}
	in := int(off % pageSize)
	return b[in:min(in+n, pageSize)]
}

// edit returns n bytes at off, fewer where the page ends, to be changed before
// anything else is done with p.
func (p *pages) edit(off uint64, n int) []byte {
	b := p.at(off, n)
	p.slots[off/pageSize].dirty = true
	return b
}

// grow adds n bytes, all of them zero, and returns where they are.
func (p *pages) grow(n int) (off uint64) {
	off = p.size
	p.size += uint64(n)
	for uint64(len(p.slots))*pageSize < p.size {
		p.slots = append(p.slots, &slot{dirty: true})
		p.mu.Lock()
		p.keep(p.slots[len(p.slots)-1], new(page))
		p.mu.Unlock()
	}
	return off
}

// growWithin adds n bytes that are in one page.
func (p *pages) growWithin(n int) (off uint64) {
	if in := p.size % pageSize; in+uint64(n) > pageSize {
		p.grow(int(pageSize - in))
	}
	return p.grow(n)
}

// append adds bytes and returns where they are, in as many pages as they take.
func (p *pages) append(b []byte) (off uint64) {
	off = p.grow(len(b))
	for at := off; len(b) > 0; {
		n := copy(p.edit(at, len(b)), b)
		at, b = at+uint64(n), b[n:]
	}
	return off
}

// read fills b with what is at off, be it in several pages.
func (p *pages) read(b []byte, off uint64) {
	for len(b) > 0 {
		n := copy(b, p.at(off, len(b)))
		off, b = off+uint64(n), b[n:]
	}
}

// bringIn reads page i from the file, where it still has to be.
func (p *pages) bringIn(i int) *page {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.slots[i]
	if b := s.page.Load(); b != nil {
		return b // another goroutine has been faster
	}
	b := new(page)
	if _, err := p.file.ReadAt(b[:], int64(i)*pageSize); err != nil {
		// As with memory that fails: nobody who asks for a name expects it.
		panic(lost{fmt.Errorf("filetree: %w: %w", ErrLost, unexpected(err))})
	}
	p.keep(s, b)
	return b
}

// keep enters a page into its slot, and gives up another where there are many.
func (p *pages) keep(s *slot, b *page) {
	s.used.Store(true)
	s.page.Store(b)
	p.inUse++
	if p.inUse > cmp.Or(p.most, maxPages) && !p.failed {
		p.giveUp()
	}
}

// giveUp takes from memory a page that nobody has used for a while. Where it
// cannot be written, for want of room for temporary files, it stays, and so do all
// others from then on.
func (p *pages) giveUp() {
	for {
		p.hand = (p.hand + 1) % len(p.slots)
		s := p.slots[p.hand]
		b := s.page.Load()
		if b == nil || s.used.Swap(false) {
			continue
		}
		if s.dirty && p.write(b, int64(p.hand)*pageSize) != nil {
			p.failed = true
			return
		}
		s.dirty = false
		s.page.Store(nil)
		p.inUse--
		return
	}
}

func (p *pages) write(b *page, off int64) (err error) {
	if p.file == nil {
		if p.file, err = tempfile.Create("", "filetree"); err != nil {
			return err
		}
	}
	_, err = p.file.WriteAt(b[:], off)
	return err
}

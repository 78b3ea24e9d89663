package squashfs

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/drivebay/drivebay/image/filetree"
)

// writer takes the blocks in the order in which they were read.
type writer struct {
	*builder
	free chan *job
	err  error // the first

	// Of the file whose blocks are being written.
	content content
	sums    hash.Hash // of its blocks' checksums
	// runs are where blocks of a file begin, by what is in them.
	runs map[[sha256.Size]byte]int64
}

// run writes all jobs. After an error it only gives them back, so that nobody waits
// for one.
func (w *writer) run(jobs <-chan *job) {
	w.begin()
	for j := range jobs {
		<-j.done
		if w.err == nil {
			if w.err = w.job(j); w.err != nil {
				w.failed.Store(true)
			}
		}
		w.free <- j
	}
}

// begin begins the next file.
func (w *writer) begin() {
	w.content = content{start: w.spool.pos(), blocks: w.content.blocks[:0]}
	w.sums.Reset()
}

// job writes what comes before a block, and the block.
func (w *writer) job(j *job) (err error) {
	defer filetree.Recover(&err)
	for i := range j.before {
		w.step(&j.before[i])
	}
	switch {
	case len(j.in) == 0:
	case j.fragment:
		err = w.fragment(j)
	default:
		err = w.block(j)
	}
	return cmp.Or(err, w.inodes.err)
}

func (w *writer) step(s *step) {
	switch s.kind {
	case stepHoles:
		w.holes(s.count, s.bytes)
	case stepFile:
		w.file(s.node, s.tail, s.sum)
		w.begin()
	case stepOther:
		w.otherInode(s.node)
	}
}

// fragment writes a block of files' tails, behind a file.
func (w *writer) fragment(j *job) error {
	at := w.spool.pos()
	size, err := w.data(j)
	if err != nil {
		return err
	}
	_, _ = w.fragments.Write(appendStruct(nil, &fragmentEntry{Start: uint64(at), Size: size}))
	w.fragmentCount++
	w.begin()
	return nil
}

// block writes a block of a file.
func (w *writer) block(j *job) error {
	if j.zero {
		w.holes(1, int64(len(j.in)))
		return nil
	}
	size, err := w.data(j)
	if err != nil {
		return err
	}
	w.content.blocks = append(w.content.blocks, size)
	if j.wantSum {
		_, _ = w.sums.Write(j.sum[:])
	}
	return nil
}

// data writes a block and returns its length as inodes and fragments have it.
func (w *writer) data(j *job) (uint32, error) {
	if j.err != nil {
		return 0, fmt.Errorf("squashfs: %s: %w", w.compression, j.err)
	}
	if j.raw {
		return uint32(len(j.in)) | dataRaw, w.spool.write(j.in)
	}
	return uint32(len(j.out)), w.spool.write(j.out)
}

// holes adds blocks that take nothing.
func (w *writer) holes(count uint32, bytes int64) {
	c := &w.content
	c.sparse += bytes
	if n := len(c.blocks); n >= 2 && c.blocks[n-2] == 0 {
		c.blocks[n-1] += count
		return
	}
	c.blocks = append(c.blocks, 0, count)
}

// file writes the inode of a regular file, of which there may be another with the
// same blocks: these are then taken back.
func (w *writer) file(n filetree.Node, tail tailPlace, sum bool) {
	c := &w.content
	c.tail = tail
	switch {
	case w.spool.pos() == c.start:
		c.start = 0
	case sum:
		// What holes there are is part of it.
		_ = binary.Write(w.sums, binary.LittleEndian, c.blocks)
		key := [sha256.Size]byte(w.sums.Sum(nil))
		if start, ok := w.runs[key]; ok {
			w.spool.rewind(c.start)
			c.start = start
		} else {
			w.runs[key] = c.start
		}
	}
	w.regularInode(n, c)
}

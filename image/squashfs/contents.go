package squashfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"sync"

	"github.com/drivebay/drivebay/image/filetree"
)

// The contents go through three kinds of goroutines: one reads the files in the
// order of their inodes and cuts them into blocks, one for each CPU compresses
// blocks, in any order, and one takes them in the order in which they were read
// and writes them to the spool, and the inodes of the files that ended before each.
// So nothing that is written depends on how many CPUs there are, and there are
// never more blocks in memory than jobs.

// job is a block on its way, with what comes before it: most files are so small
// that waking the writing goroutine for each would take longer than reading it.
// Jobs are used again and again.
type job struct {
	before   []step
	in, buf  []byte // the block, and the room for it; an empty one is none
	fragment bool   // it is of files' tails, else of one file
	out      []byte // the block compressed
	raw      bool   // it is no shorter so
	zero     bool   // it is nothing but zeros
	wantSum  bool   // whoever writes it asks for the checksum
	sum      [sha256.Size]byte
	err      error
	done     chan struct{} // gets one when all of this is known
}

// step is what the writing goroutine does between two blocks.
type step struct {
	kind  stepKind
	node  filetree.Node // stepFile, stepOther
	count uint32        // stepHoles: how many blocks
	bytes int64         // stepHoles: and how many bytes
	tail  tailPlace     // stepFile
	sum   bool          // stepFile: there may have been another with the same blocks
}

type stepKind uint8

const (
	stepHoles stepKind = iota // blocks of a file that have nothing in them
	stepFile                  // a regular file, whose blocks were before it
	stepOther                 // any other file but a directory
)

// maxSteps is how many steps there may be before a block: files without a block of
// their own hold no job.
const maxSteps = 256

// How many blocks there are for each worker beside those of the reader, which holds
// up to four. With many, the others go on while one worker waits for its CPU: what
// is compressed is written in order. Two will do where blocks are so large that
// aheadLen bytes are fewer.
const (
	minAhead = 2
	maxAhead = 16
	aheadLen = 2 << 20
)

// errStopped ends the reading where the writing has met an error.
var errStopped = errors.New("stopped")

// reader reads all files.
type reader struct {
	*builder
	free     chan *job
	work     chan *job
	ordered  chan *job // the same in the order in which they were read
	before   []step    // of the next job
	block    *job      // that is being filled
	fragment *job      // that is being filled, nil before the first
	number   uint32
	tailAt   map[[sha256.Size]byte]tailPlace
}

// contents reads, compresses and writes all contents, and the inodes of all that
// are not directories.
func (b *builder) contents(workers int) error {
	jobs := 4 + workers*int(max(minAhead, min(maxAhead, aheadLen/b.blockSize)))
	r := &reader{
		builder: b,
		free:    make(chan *job, jobs),
		work:    make(chan *job, jobs),
		ordered: make(chan *job, jobs),
		tailAt:  map[[sha256.Size]byte]tailPlace{},
	}
	for range jobs {
		r.free <- &job{done: make(chan struct{}, 1)}
	}
	compressors := make([]compressor, workers)
	for i := range compressors {
		var err error
		if compressors[i], err = b.newCompressor(); err != nil {
			return err
		}
	}
	var wg sync.WaitGroup
	for _, c := range compressors {
		wg.Go(func() {
			for j := range r.work {
				j.run(c)
				j.done <- struct{}{}
			}
		})
	}
	w := &writer{builder: b, free: r.free, sums: sha256.New(), runs: map[[sha256.Size]byte]int64{}}
	wg.Go(func() { w.run(r.ordered) })

	err := r.readAll()
	close(r.work)
	close(r.ordered)
	wg.Wait()
	if w.err != nil {
		return w.err
	}
	return err
}

// run does what can be done to a block by itself.
func (j *job) run(c compressor) {
	if j.zero = isZero(j.in); j.zero {
		return
	}
	if j.wantSum {
		j.sum = sha256.Sum256(j.in)
	}
	j.raw = true
	if c != nil {
		j.out, j.err = c.compress(j.out, j.in)
		j.raw = len(j.out) >= len(j.in)
	}
}

// isZero reports whether there are nothing but zeros in b.
func isZero(b []byte) bool {
	return len(b) == 0 || b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1])
}

// stopped returns an error if there is no use in reading on.
func (r *reader) stopped() error {
	if r.failed.Load() {
		return errStopped
	}
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	return nil
}

func (r *reader) readAll() (err error) {
	defer filetree.Recover(&err)
	for _, id := range r.nodeOf {
		n := r.tree.Node(int(id))
		if err := r.stopped(); err != nil {
			return err
		}
		switch {
		case n.IsDir():
		case basicType(n) != typeRegular:
			r.step(step{kind: stepOther, node: n})
		default:
			if err := r.file(n); err != nil {
				return err
			}
		}
	}
	r.end()
	return nil
}

// newJob returns an empty job. Each is given its room when it is first used:
// small trees need few.
func (r *reader) newJob() *job {
	j := <-r.free
	if j.buf == nil {
		j.buf = make([]byte, r.blockSize)
	}
	j.in, j.fragment, j.wantSum = j.buf[:0], false, false
	return j
}

// step has something done before the next block is written.
func (r *reader) step(s step) {
	r.before = append(r.before, s)
	if len(r.before) == maxSteps {
		r.submit(r.newJob())
	}
}

// submit has a job done, and what comes of it written in its turn.
func (r *reader) submit(j *job) {
	j.before, r.before = r.before, j.before[:0]
	r.work <- j
	r.ordered <- j
}

// end submits what is left.
func (r *reader) end() {
	switch {
	case r.fragment != nil:
		r.submit(r.fragment)
	case len(r.before) > 0:
		r.submit(r.newJob())
	}
}

// fileReader reads one file.
type fileReader struct {
	*reader
	size   int64
	packed bool  // its tail goes into a fragment
	sum    bool  // another may have the same blocks
	next   int64 // the block that is being filled
	tail   tailPlace
	// filled is a fragment that had no room for the tail any more.
	filled *job
}

// file reads a regular file.
func (r *reader) file(n filetree.Node) error {
	f := &fileReader{reader: r, size: n.Size(), packed: r.packsTail(n.Size()), sum: r.sameSize[n.Size()], tail: noTail}
	if f.size > 0 {
		if err := n.Stream(f.data); err != nil {
			return err
		}
	}
	f.end()
	r.step(step{kind: stepFile, node: n, tail: f.tail, sum: f.sum})
	if f.filled != nil {
		r.submit(f.filled)
	}
	return nil
}

// data reads a range of the file.
func (f *fileReader) data(from io.Reader, at filetree.Range) error {
	for at.Length > 0 {
		if err := f.stopped(); err != nil {
			return err
		}
		f.moveTo(at.Offset / f.blockSize)
		if f.block == nil {
			f.block = f.newJob()
		}
		in := int(at.Offset % f.blockSize)
		k := int(min(at.Length, f.blockSize-int64(in)))
		b := f.block
		clear(b.buf[len(b.in):in])
		if _, err := io.ReadFull(from, b.buf[in:in+k]); err != nil {
			return err
		}
		b.in = b.buf[:in+k]
		at.Offset += int64(k)
		at.Length -= int64(k)
	}
	return nil
}

// moveTo ends the block that is being filled, if another is to be filled next.
func (f *fileReader) moveTo(block int64) {
	if block > f.next && f.block != nil && len(f.block.in) > 0 {
		f.endBlock()
	}
	if block > f.next {
		f.holes(block - f.next)
	}
}

// end ends the file.
func (f *fileReader) end() { f.moveTo((f.size + f.blockSize - 1) / f.blockSize) }

// holes adds blocks without data.
func (f *fileReader) holes(count int64) {
	bytes := min(count*f.blockSize, f.size-f.next*f.blockSize)
	f.step(step{kind: stepHoles, count: uint32(count), bytes: bytes})
	f.next += count
}

// endBlock ends the block that is being filled, what is left of it being a hole.
func (f *fileReader) endBlock() {
	b := f.block
	size := min(f.blockSize, f.size-f.next*f.blockSize)
	clear(b.buf[len(b.in):size])
	b.in = b.buf[:size]
	if f.packed && size < f.blockSize {
		f.pack()
		return
	}
	f.next++
	b.wantSum = f.sum
	f.submit(b)
	f.block = nil
}

// pack puts the block that is being filled, which is the last, into a fragment,
// unless it is in one.
func (f *fileReader) pack() {
	tail := f.block.in
	f.block.in = f.block.buf[:0]
	if isZero(tail) {
		f.holes(1)
		return
	}
	f.next++
	var sum [sha256.Size]byte
	same := f.tailsOf[len(tail)] > 1
	if same {
		sum = sha256.Sum256(tail)
		if at, ok := f.tailAt[sum]; ok {
			f.tail = at
			return
		}
	}
	if f.fragment != nil && len(f.fragment.in)+len(tail) > int(f.blockSize) {
		// It comes behind the file, which may yet be found to be a double.
		f.filled, f.fragment = f.fragment, nil
		f.number++
	}
	if f.fragment == nil {
		f.fragment = f.newJob()
		f.fragment.fragment = true
	}
	f.tail = tailPlace{f.number, uint32(len(f.fragment.in))}
	f.fragment.in = append(f.fragment.in, tail...)
	if same {
		f.tailAt[sum] = f.tail
	}
}

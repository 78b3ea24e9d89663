package filetree

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
)

// compareLen is how much of two files is compared at a time, in bytes.
const compareLen = 256 << 10

// comparer compares the contents of pairs of files, a few at a time.
type comparer struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	jobs   chan contentPair
	group  sync.WaitGroup
	found  *foundList
}

// contentPair is two files of the same size.
type contentPair struct {
	seq       int
	want, got Node
}

func newComparer(ctx context.Context, found *foundList) *comparer {
	c := &comparer{jobs: make(chan contentPair, 64), found: found}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	for range min(runtime.GOMAXPROCS(0), 8) {
		c.group.Go(c.work)
	}
	return c
}

// add hands in a pair. It blocks while all are busy.
func (c *comparer) add(p contentPair) {
	select {
	case c.jobs <- p:
	case <-c.ctx.Done():
	}
}

// wait waits for all pairs that have been handed in.
func (c *comparer) wait() error {
	close(c.jobs)
	c.group.Wait()
	err := context.Cause(c.ctx)
	c.cancel(nil)
	return err
}

func (c *comparer) work() {
	var buf [2][]byte
	for p := range c.jobs {
		if c.ctx.Err() != nil {
			continue // and let the others be drained
		}
		if buf[0] == nil {
			buf = [2][]byte{make([]byte, compareLen), make([]byte, compareLen)}
		}
		if err := c.compare(p, buf); err != nil {
			c.cancel(err)
		}
	}
}

// compare compares the contents of two files.
func (c *comparer) compare(p contentPair, buf [2][]byte) (err error) {
	defer Recover(&err)
	var sides [2]contentReader
	for i, n := range [2]Node{p.want, p.got} {
		content, err := n.Open()
		if err != nil {
			return err
		}
		defer content.Close()
		sides[i] = newContentReader(n, content, buf[i])
	}
	for pos, size := int64(0), p.want.Size(); pos < size; {
		if c.ctx.Err() != nil {
			return nil
		}
		step := min(size-pos, sides[0].extent(pos), sides[1].extent(pos))
		if !sides[0].data() && !sides[1].data() {
			pos += step
			continue
		}
		step = min(step, compareLen)
		want, err := sides[0].read(pos, step)
		if err != nil {
			return err
		}
		got, err := sides[1].read(pos, step)
		if err != nil {
			return err
		}
		if !bytes.Equal(want, got) {
			i := firstDifference(want, got)
			c.found.add(p.seq, Difference{
				Path: p.want.Path(), Aspect: AspectContent,
				Want: fmt.Sprintf("%#02x", want[i]), Got: fmt.Sprintf("%#02x at byte %d", got[i], pos+int64(i)),
			})
			return nil
		}
		pos += step
	}
	for i := range sides {
		if err := sides[i].end(); err != nil {
			return err
		}
	}
	return nil
}

func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

// contentReader reads a content that has holes from front to back.
type contentReader struct {
	n      Node
	c      Content
	buf    []byte
	pos    int64   // how far c has been read
	ranges []Range // with data, from the one that is current on
	inData bool
	zero   bool // buf is all zeros
}

func newContentReader(n Node, c Content, buf []byte) contentReader {
	r := contentReader{n: n, c: c, buf: buf}
	for data := range n.Data() {
		r.ranges = append(r.ranges, data)
	}
	return r
}

// extent returns for how many bytes from pos on it is as it is there: data, or
// a hole.
func (r *contentReader) extent(pos int64) int64 {
	for len(r.ranges) > 0 && r.ranges[0].End() <= pos {
		r.ranges = r.ranges[1:]
	}
	r.inData = len(r.ranges) > 0 && r.ranges[0].Offset <= pos
	switch {
	case len(r.ranges) == 0:
		return r.n.Size() - pos
	case r.inData:
		return r.ranges[0].End() - pos
	}
	return r.ranges[0].Offset - pos
}

// data reports whether there is data where extent has last been asked for.
func (r *contentReader) data() bool { return r.inData }

// read returns the n bytes at pos, to where no extent ends.
func (r *contentReader) read(pos, n int64) ([]byte, error) {
	b := r.buf[:n]
	if !r.inData {
		if !r.zero {
			clear(r.buf)
			r.zero = true
		}
		return b, nil
	}
	r.zero = false
	err := skip(r.c, pos-r.pos)
	if err == nil {
		r.pos = pos + n
		_, err = io.ReadFull(r.c, b)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return b, r.n.readError(r.c, err)
}

// end checks that the content ends where it should.
func (r *contentReader) end() error {
	if err := r.n.atEnd(r.c, r.pos); err != nil {
		return r.n.readError(r.c, err)
	}
	return nil
}

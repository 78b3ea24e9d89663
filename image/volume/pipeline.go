package volume

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// pipeline carries filled buffers from the goroutine that fills them to the
// one that writes them to the sink.
type pipeline struct {
	sink    Sink
	cur     chunk
	free    chan []byte
	full    chan chunk
	done    chan struct{}
	closed  bool
	written atomic.Int64

	mu      sync.Mutex
	failure error
}

// chunk is a run of bytes and the place in the sink that it is for.
type chunk struct {
	off  int64
	data []byte // the filled part of buf
	buf  []byte
	// flushed, where it is not nil, is closed instead of anything being written.
	flushed chan struct{}
}

// buffers keeps buffers from one writer to the next: small images, of which a test
// run builds many, would take longer to clear them than to write.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// errClosed is what a write to a closed Writer gives.
var errClosed = errors.New("volume: writer is closed")

func newPipeline(sink Sink) *pipeline {
	p := &pipeline{
		sink: sink,
		free: make(chan []byte, bufferCount),
		full: make(chan chunk, bufferCount),
		done: make(chan struct{}),
	}
	for range bufferCount {
		p.free <- nil // allocated at first use
	}
	go p.run()
	return p
}

// buffer returns the unfilled rest of a buffer whose next byte is for offset
// off of the sink. It is never empty.
func (p *pipeline) buffer(off int64) ([]byte, error) {
	if gap := off - (p.cur.off + int64(len(p.cur.data))); p.cur.data != nil && gap > 0 {
		if gap < granule && int(gap) < cap(p.cur.data)-len(p.cur.data) {
			// The padding behind a file's end: cheaper written than skipped.
			n := len(p.cur.data)
			p.cur.data = p.cur.data[:n+int(gap)]
			clear(p.cur.data[n:])
		} else {
			p.submit()
		}
	}
	if p.cur.data != nil && len(p.cur.data) == cap(p.cur.data) {
		p.submit()
	}
	if p.cur.data == nil {
		if err := p.err(); err != nil {
			return nil, err
		}
		b := <-p.free
		if b == nil {
			b = buffers.Get().(*[bufferSize]byte)[:]
		}
		// End on a multiple of the buffer size, so that all further ones
		// begin on one.
		end := bufferSize - int(off%bufferSize)
		p.cur = chunk{off: off, data: b[:0:end], buf: b}
	}
	return p.cur.data[len(p.cur.data):cap(p.cur.data)], nil
}

// advance counts n more bytes of the current buffer as filled.
func (p *pipeline) advance(n int) {
	p.cur.data = p.cur.data[:len(p.cur.data)+n]
}

func (p *pipeline) submit() {
	p.full <- p.cur
	p.cur = chunk{}
}

func (p *pipeline) flush() error {
	if p.closed {
		return errClosed
	}
	if p.cur.data != nil {
		p.submit()
	}
	flushed := make(chan struct{})
	p.full <- chunk{flushed: flushed}
	<-flushed
	return p.err()
}

func (p *pipeline) close() error {
	if !p.closed {
		p.closed = true
		if p.cur.buf != nil {
			p.free <- p.cur.buf
		}
		p.cur = chunk{}
		p.fail(errClosed)
		close(p.full)
		<-p.done
		for range bufferCount {
			if b := <-p.free; b != nil {
				buffers.Put((*[bufferSize]byte)(b))
			}
		}
	}
	return nil
}

func (p *pipeline) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failure
}

func (p *pipeline) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure == nil {
		p.failure = err
	}
}

// run writes what is submitted until the pipeline is closed.
func (p *pipeline) run() {
	defer close(p.done)
	for c := range p.full {
		if c.flushed != nil {
			close(c.flushed)
			continue
		}
		if p.err() == nil {
			if err := p.write(c); err != nil {
				p.fail(err)
			}
		}
		p.free <- c.buf
	}
}

// write writes c without its runs of zeros.
func (p *pipeline) write(c chunk) error {
	for start, end := range dataRuns(c.off, c.data) {
		n, err := p.sink.WriteAt(c.data[start:end], c.off+int64(start))
		p.written.Add(int64(n))
		if err != nil {
			return err
		}
		if n != end-start {
			return io.ErrShortWrite
		}
	}
	return nil
}

// zeros is what a granule without data looks like.
var zeros [granule]byte

// dataRuns yields the runs of data that are not zero, cut at multiples of the
// granule in the sink.
func dataRuns(off int64, data []byte) func(yield func(start, end int) bool) {
	return func(yield func(start, end int) bool) {
		run := -1 // where the present run of data began
		for pos := 0; pos < len(data); {
			next := min(pos+granule-int((off+int64(pos))%granule), len(data))
			if bytes.Equal(data[pos:next], zeros[:next-pos]) {
				if run >= 0 && !yield(run, pos) {
					return
				}
				run = -1
			} else if run < 0 {
				run = pos
			}
			pos = next
		}
		if run >= 0 {
			yield(run, len(data))
		}
	}
}

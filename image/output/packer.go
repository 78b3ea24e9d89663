package output

import (
	"runtime"
	"sync"
)

// block is a piece of a disk on its way to the file.
type block struct {
	index  int64
	data   []byte // what is on the disk, of which buf is the memory
	buf    []byte
	packed []byte
	ready  chan struct{} // receives when packed is there
}

// packer is a sink that cuts a disk into blocks, packs them on several CPUs, and
// hands them on in their order. Blocks that nothing is written to are left out.
// Its memory is two blocks and what becomes of them for each worker.
type packer struct {
	size      int64 // of the disk
	blockSize int64
	put       func(b *block) error

	cur   *block
	next  int64 // no block before it can be written any more
	free  chan *block
	jobs  chan *block // to the workers
	order chan *block // to the one who puts them
	done  chan struct{}
	ended bool

	mu  sync.Mutex
	err error
}

// defaultWorkers is how many CPUs are used where none are given: all, but not so
// many that the memory of their blocks would be felt.
func defaultWorkers() int { return min(runtime.GOMAXPROCS(0), 8) }

// newPacker starts a packer. pack appends what becomes of data to dst; it is called
// by all workers. put is called by one goroutine.
func newPacker(size, blockSize int64, workers int, pack func(dst, data []byte) []byte, put func(b *block) error) *packer {
	count := 2 * workers
	p := &packer{
		size: size, blockSize: blockSize, put: put,
		free: make(chan *block, count), jobs: make(chan *block, count), order: make(chan *block, count),
		done: make(chan struct{}),
	}
	for range count {
		p.free <- &block{ready: make(chan struct{}, 1)}
	}
	for range workers {
		go func() {
			for b := range p.jobs {
				b.packed = pack(b.packed[:0], b.data)
				b.ready <- struct{}{}
			}
		}()
	}
	go p.run()
	return p
}

// WriteAt takes bytes at an offset that only rises.
func (p *packer) WriteAt(data []byte, off int64) (int, error) {
	n := 0
	for n < len(data) {
		if err := p.enter(off / p.blockSize); err != nil {
			return n, err
		}
		k := copy(p.cur.data[off%p.blockSize:], data[n:])
		n, off = n+k, off+int64(k)
	}
	return n, nil
}

// enter makes a block the current one.
func (p *packer) enter(index int64) error {
	if p.ended {
		return errFinished
	}
	if p.cur != nil && p.cur.index == index {
		return nil
	}
	if index < p.next {
		return errBackwards
	}
	p.next = index + 1
	p.submit()
	if err := p.failure(); err != nil {
		return err
	}
	b := <-p.free
	if b.buf == nil {
		b.buf = make([]byte, p.blockSize)
	}
	b.index, b.data = index, b.buf[:min(p.blockSize, p.size-index*p.blockSize)]
	clear(b.data)
	p.cur = b
	return nil
}

// submit hands the current block on. There is room for all blocks in the channels.
func (p *packer) submit() {
	if p.cur != nil {
		p.order <- p.cur
		p.jobs <- p.cur
		p.cur = nil
	}
}

// run puts the blocks in their order. After an error it lets them pass, so that
// nobody waits for a block.
func (p *packer) run() {
	defer close(p.done)
	for b := range p.order {
		<-b.ready
		if p.failure() == nil {
			if err := p.put(b); err != nil {
				p.mu.Lock()
				p.err = err
				p.mu.Unlock()
			}
		}
		p.free <- b
	}
}

func (p *packer) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// finish waits until all blocks are put, and returns the first error of that.
func (p *packer) finish() error {
	if p.ended {
		return errFinished
	}
	p.submit()
	p.close()
	return p.err
}

// close ends the goroutines. What was not submitted is dropped.
func (p *packer) close() {
	if !p.ended {
		p.ended = true
		close(p.jobs)
		close(p.order)
		<-p.done
	}
}

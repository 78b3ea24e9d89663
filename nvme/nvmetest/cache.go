package nvmetest

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/drivebay/drivebay/nvme"
)

// CachedWrite is a write that is in a namespace's volatile write cache: done, as
// far as the host knows, and not flushed.
type CachedWrite struct {
	NSID   uint32
	Offset int64 // bytes from the namespace's start
	Size   int   // bytes
}

// writeCache is Media with a volatile write cache before it: what is written is
// on the media at once, and the cache remembers how to take it back.
type writeCache struct {
	media  Media
	nsid   uint32
	limit  int // bytes
	bytes  int
	writes []cachedWrite // the oldest first
	next   uint64        // sequence number of the next write
}

type cachedWrite struct {
	CachedWrite
	sequence      uint64
	before, after []byte
	durable       bool // forced to the media: FUA
}

// ReadAt implements io.ReaderAt.
func (c *writeCache) ReadAt(p []byte, off int64) (int, error) { return c.media.ReadAt(p, off) }

// WriteAt implements io.WriterAt. Where the cache is full, the oldest writes
// reach the media.
func (c *writeCache) WriteAt(p []byte, off int64) (int, error) {
	w := cachedWrite{CachedWrite: CachedWrite{c.nsid, off, len(p)}, sequence: c.next,
		before: make([]byte, len(p)), after: slices.Clone(p)}
	if n, err := c.media.ReadAt(w.before, off); n < len(p) {
		return 0, fmt.Errorf("nvmetest: write cache: %w", cmp.Or(err, io.ErrUnexpectedEOF))
	}
	n, err := c.media.WriteAt(p, off)
	if err != nil {
		return n, err
	}
	c.writes = append(c.writes, w)
	c.next++
	c.bytes += len(p)
	for c.bytes > c.limit {
		c.bytes -= c.writes[0].Size
		c.writes = c.writes[1:]
	}
	return n, nil
}

// flush lets everything reach the media.
func (c *writeCache) flush() { c.writes, c.bytes = nil, 0 }

// force lets the writes from a sequence number on reach the media, whatever
// happens to those before.
func (c *writeCache) force(from uint64) {
	for i := len(c.writes) - 1; i >= 0 && c.writes[i].sequence >= from; i-- {
		c.writes[i].durable = true
	}
}

// lose takes back what is in the cache, but for what survives. That a write is
// lost and a later one to the same place is not, is as a cache writes back: in
// any order.
func (c *writeCache) lose(survives func(w CachedWrite) bool) error {
	for _, w := range slices.Backward(c.writes) {
		if _, err := c.media.WriteAt(w.before, w.Offset); err != nil {
			return err
		}
	}
	for _, w := range c.writes {
		if !w.durable && (survives == nil || !survives(w.CachedWrite)) {
			continue
		}
		if _, err := c.media.WriteAt(w.after, w.Offset); err != nil {
			return err
		}
	}
	c.flush()
	return nil
}

// cacheWrites puts a volatile write cache before the namespace's media.
func (n *Namespace) cacheWrites() {
	if size := n.drive.profile.CacheSize; size > 0 {
		n.cache = &writeCache{media: n.media, nsid: n.id, limit: size}
		n.media = n.cache
	}
}

// settle lets what is in the cache reach the media.
func (n *Namespace) settle() {
	if n.cache != nil {
		n.cache.flush()
	}
}

// through reports whether the command's data has to be on the media once it is
// done: FUA, or a cache that is disabled. Blocks with metadata are always written
// through.
func (r *request) through() bool {
	const fua = 1 << 30
	return r.cmd.CDW12&fua != 0 || r.ns.metaSize() > 0 || !r.c.features.writeCacheEnabled()
}

// cached carries out a command that writes, and forces its data to the media if
// it is to be.
func (r *request) cached(write func() nvme.Status) nvme.Status {
	c := r.ns.cache
	if c == nil || !r.through() {
		return write()
	}
	first := c.next
	s := write()
	c.force(first)
	return s
}

// LosePower takes the power away as [Drive.PowerOff] does, and lets survive what
// survives says of the writes that are in volatile caches, the oldest first. nil
// is none: the worst there is to a host that has not flushed. Media that cannot be
// written keeps what it has, which is an error.
func (d *Drive) LosePower(survives func(w CachedWrite) bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.powerOff(survives)
}

package squashfs

import (
	"slices"
	"sync"
)

// What a volume remembers of decompressed blocks: those of metadata in number,
// those of data in bytes, but for a few of any size.
const (
	cachedMeta    = 128
	cachedData    = 4 << 20
	minCachedData = 4
)

// cache remembers the blocks that were used last, by their places.
type cache struct {
	mu     sync.Mutex
	max    int
	blocks []cachedBlock // the last used at the end
}

type cachedBlock struct {
	at   uint64
	b    []byte // not to be changed
	next uint64 // of metadata: where the next block is
}

func (c *cache) get(at uint64) (cachedBlock, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.blocks, func(b cachedBlock) bool { return b.at == at })
	if i < 0 {
		return cachedBlock{}, false
	}
	found := c.blocks[i]
	copy(c.blocks[i:], c.blocks[i+1:])
	c.blocks[len(c.blocks)-1] = found
	return found, true
}

// put remembers a block. That it is there already, since another goroutine has
// read it as well, does no harm.
func (c *cache) put(b cachedBlock) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.blocks) == c.max {
		c.blocks = slices.Delete(c.blocks, 0, 1)
	}
	c.blocks = append(c.blocks, b)
}

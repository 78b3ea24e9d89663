package ext4

import "sync"

// cachedBlocks is how many blocks of metadata are remembered.
const cachedBlocks = 512

// blockCache remembers blocks of metadata, each in the one slot that its number
// has: those of inode tables are read in a row, and of trees from the top.
type blockCache struct {
	mu    sync.Mutex
	slots [cachedBlocks]cachedBlock
}

type cachedBlock struct {
	block int64
	b     []byte
}

// get returns a block, nil where it is not there.
func (c *blockCache) get(block int64) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.slot(block); s.block == block {
		return s.b
	}
	return nil
}

func (c *blockCache) put(block int64, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.slot(block)
	s.block, s.b = block, b
}

// slot returns the slot of a block, whose number may be nonsense.
func (c *blockCache) slot(block int64) *cachedBlock { return &c.slots[uint64(block)%cachedBlocks] }

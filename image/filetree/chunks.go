package filetree

// chunkLen is the number of records in a chunk: few enough that a small tree
// stays small, many enough that a large one is not made of allocations.
const chunkLen = 1 << 9

// chunks is a list that grows without ever copying what it holds, which a slice
// that doubles would do, needing three times the memory meanwhile.
type chunks[T any] struct {
	list [][]T
	n    int
}

func (c *chunks[T]) len() int { return c.n }

// add appends v and returns its index.
func (c *chunks[T]) add(v T) uint32 {
	if c.n%chunkLen == 0 {
		c.list = append(c.list, make([]T, chunkLen))
	}
	i := uint32(c.n)
	c.list[i/chunkLen][i%chunkLen] = v
	c.n++
	return i
}

// at returns the record with index i, which stays where it is for good.
func (c *chunks[T]) at(i uint32) *T { return &c.list[i/chunkLen][i%chunkLen] }

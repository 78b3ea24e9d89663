package repart

import (
	"math"
	"math/bits"
)

// claim is what a partition, or the gap behind it, has of the disk.
type claim struct {
	weight    int64
	min, max  int64 // bytes, in whole grains
	size      int64
	isSettled bool
}

// unlimited is the maximum of what has none.
const unlimited = math.MaxInt64

// roundUp returns the first whole grain that is not below n.
func roundUp(n int64) int64 { return (n + grain - 1) / grain * grain }

// distribute hands out span bytes as systemd-repart does (src/repart/repart.c,
// context_grow_partitions_on_free_area). Everybody would have a share by weight.
// Who needs more than that has what is needed and takes part no longer; then who
// may have less than that, likewise; what is left is shared among the rest. The
// minimums have to fit. It returns what nobody has taken.
func distribute(claims []*claim, span int64) (left int64) {
	d := distribution{claims: claims, span: span}
	for _, c := range claims {
		d.weights += c.weight
	}
	for d.settle(func(c *claim, share int64) (int64, bool) { return c.min, c.min > share }) {
	}
	for d.settle(func(c *claim, share int64) (int64, bool) { return c.max, c.max < share }) {
	}
	d.settle(func(c *claim, share int64) (int64, bool) {
		return min(max(share-share%grain, c.min), c.max), true
	})
	return d.span
}

// distribution is how much is left for those who are not settled.
type distribution struct {
	claims        []*claim
	span, weights int64
}

// settle goes once through the claims that are open, and gives those their size
// that decide finds one for. Shares are those of what is left at the moment.
func (d *distribution) settle(decide func(c *claim, share int64) (size int64, ok bool)) (any bool) {
	for _, c := range d.claims {
		if c.isSettled {
			continue
		}
		size, ok := decide(c, scale(d.span, c.weight, d.weights))
		if !ok {
			continue
		}
		c.size, c.isSettled, any = size, true, true
		d.span = max(0, d.span-roundUp(size))
		d.weights -= c.weight
	}
	return any
}

// scale returns value*weight/sum.
func scale(value, weight, sum int64) int64 {
	if weight == 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(value), uint64(weight))
	share, _ := bits.Div64(high, low, uint64(sum)) // weight <= sum: no overflow
	return int64(share)
}

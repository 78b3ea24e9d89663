// Package inject keeps the faults that are in force: those of the emulated drive, and
// those of the connection to it.
package inject

import "slices"

// List holds faults of a kind in the order in which they came into force. Its user
// locks it, and what it returns.
type List[F any] struct{ active []*Active[F] }

// Active is a fault that is in force.
type Active[F any] struct {
	Fault F
	// Struck is how often it has struck.
	Struck int

	seen int
}

// Add puts a fault in force.
func (l *List[F]) Add(f F) *Active[F] {
	a := &Active[F]{Fault: f}
	l.active = append(l.active, a)
	return a
}

// Remove ends a fault, if it is in force.
func (l *List[F]) Remove(a *Active[F]) {
	l.active = slices.DeleteFunc(l.active, func(b *Active[F]) bool { return a == b })
}

// Strike returns the fault that strikes a command, or nil: the first of those that
// match it, have let the first after of such commands go by, and have not struck
// count times; a count of 0 is for ever.
func (l *List[F]) Strike(match func(f *F) (matches bool, after, count int)) *Active[F] {
	for _, a := range l.active {
		matches, after, count := match(&a.Fault)
		if !matches {
			continue
		}
		a.seen++
		if a.seen <= after || count > 0 && a.Struck >= count {
			continue
		}
		a.Struck++
		return a
	}
	return nil
}

package rofs

import "sync"

// Sum adds up what files have for themselves, each file once however often it is
// read: what is more than a volume can hold is shared by files that should not. Its
// zero value is empty, and it may be used by several goroutines.
type Sum struct {
	mu    sync.Mutex
	seen  idSet
	total int64
}

// Add adds n for a file that has not been added yet, and returns the sum.
func (s *Sum) Add(id ID, n int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = idSet{}
	}
	if s.seen.add(id) {
		s.total += n
	}
	return s.total
}

package image

import (
	"os"
	"sync"

	"github.com/drivebay/drivebay/image/volume"
)

// meter is a sink that counts, and reports, what passes through it. Its writes
// come from the writer's goroutine, the regions from the caller's.
type meter struct {
	sink   volume.Sink
	report func(Progress)

	mu      sync.Mutex
	now     Progress
	regions []region // entered, the first one being the one that is written
}

// enter notes that a region follows. What was filled before may still be on its
// way to the sink.
func (m *meter) enter(r region) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.regions = append(m.regions, r)
}

// WriteAt passes a write on.
func (m *meter) WriteAt(p []byte, off int64) (int, error) {
	n, err := m.sink.WriteAt(p, off)
	m.count(int64(n), off)
	return n, err
}

// Take passes a file on to a sink that takes it.
func (m *meter) Take(f *os.File, size int64) (bool, error) {
	taken, err := volume.Take(m.sink, f, size)
	if taken {
		m.count(size, 0)
	}
	return taken, err
}

// count counts bytes at an offset.
func (m *meter) count(n, off int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.regions) > 1 && off >= m.regions[1].offset {
		m.regions = m.regions[1:]
	}
	m.now.Region = m.regions[0].name
	m.now.Done += n
	m.now.Total = max(m.now.Total, m.now.Done)
	if m.report != nil {
		m.report(m.now)
	}
}

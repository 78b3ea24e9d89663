package output

import (
	"io"

	"github.com/drivebay/drivebay/image/volume"
)

// Tee is a sink that passes what is written to it on to several sinks.
type Tee []volume.Sink

// WriteAt writes to each of the sinks, one after the other.
func (t Tee) WriteAt(p []byte, off int64) (int, error) {
	for _, s := range t {
		if n, err := s.WriteAt(p, off); err != nil {
			return n, err
		} else if n < len(p) {
			return n, io.ErrShortWrite
		}
	}
	return len(p), nil
}

// Part is a sink for a whole disk that keeps a part of it, such as a partition.
type Part struct {
	// Offset and Size are the part's place on the disk in bytes.
	Offset, Size int64
	// Sink gets the part, which begins at its offset 0.
	Sink volume.Sink
}

// WriteAt passes on what is in the part.
func (s *Part) WriteAt(p []byte, off int64) (int, error) {
	from, to := max(off, s.Offset), min(off+int64(len(p)), s.Offset+s.Size)
	if from < to {
		if n, err := s.Sink.WriteAt(p[from-off:to-off], from-s.Offset); err != nil {
			return int(from-off) + n, err
		}
	}
	return len(p), nil
}

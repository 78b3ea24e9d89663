package volume

import "os"

// Taker is a [Sink] that may take over a file that somebody else has written, which
// is less work than to be given what is in it.
type Taker interface {
	Sink
	// Take makes f, of size bytes, the beginning of what the sink holds, behind
	// which there are zeros, and reports whether it could: if not, f and the sink
	// are as before. f stays open, and is the caller's to close, but no longer to
	// write to. Nothing may have been written to the sink before.
	Take(f *os.File, size int64) (bool, error)
}

// Take passes a file on to a sink that takes it: see [Taker].
func Take(s Sink, f *os.File, size int64) (bool, error) {
	if t, ok := s.(Taker); ok {
		return t.Take(f, size)
	}
	return false, nil
}

// Take has the sink take over f, which holds the first size bytes of the volume, in
// place of having them written. It reports whether the sink did: if not, for it is
// no [Taker] or the volume is not the first thing on it, they are still to be
// written.
func (w *Writer) Take(f *os.File, size int64) (bool, error) {
	if w.base != 0 || w.off != 0 || size > w.size {
		return false, nil
	}
	if err := w.Flush(); err != nil {
		return false, err
	}
	taken, err := Take(w.p.sink, f, size)
	if taken {
		w.off = size
	}
	return taken, err
}

package guest

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/integration/vm/internal/wire"
)

// drainLimit is how long init waits, once the program has ended, for others that
// it left behind with its output open.
const drainLimit = 5 * time.Second

// outputs are the pipes that a program writes to. What comes out of them becomes
// frames.
type outputs struct {
	frames  *wire.Writer
	pipes   []*os.File // the reading ends
	copying sync.WaitGroup
}

// pipe returns the writing end of a new pipe.
func (o *outputs) pipe(kind wire.Kind) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	o.pipes = append(o.pipes, r)
	o.copying.Go(func() {
		copyOutput(o.frames.Stream(kind), r)
		_ = r.Close()
	})
	return w, nil
}

// finish returns when all that the program wrote has become frames, however long a
// busy host takes for them.
func (o *outputs) finish() {
	for _, r := range o.pipes {
		_ = r.SetReadDeadline(time.Now().Add(drainLimit)) // it may be closed already
	}
	o.copying.Wait()
}

// pipeSize is how many bytes a pipe holds: pipe(7).
const pipeSize = 64 << 10

// copyOutput copies what comes out of a pipe until its end, or its deadline and what
// is in it then.
func copyOutput(w io.Writer, r *os.File) {
	b := make([]byte, pipeSize)
	for {
		n, err := r.Read(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			n = readRest(r, b)
		}
		if _, writeErr := w.Write(b[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

// readRest reads what is in a pipe, which past its deadline Read does not.
func readRest(r *os.File, b []byte) (n int) {
	_ = r.SetReadDeadline(time.Time{})
	raw, err := r.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Read(func(fd uintptr) bool {
		n, _ = unix.Read(int(fd), b)
		return true // it may be empty
	})
	return max(n, 0)
}

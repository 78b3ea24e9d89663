package vm

import (
	"bytes"
	"regexp"
	"sync"
)

// ring keeps the last bytes that were written to it.
type ring struct {
	mu    sync.Mutex
	limit int
	b     []byte
}

// consoleLimit is how many bytes of console are kept: some 3,000 lines.
const consoleLimit = 256 << 10

func (r *ring) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.b = append(r.b, p...)
	if len(r.b) > 2*r.limit { // moves each byte once at most
		r.b = append(r.b[:0], r.b[len(r.b)-r.limit:]...)
	}
	return len(p), nil
}

func (r *ring) bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.b[max(0, len(r.b)-r.limit):])
}

var (
	// escapes are the ANSI sequences by which a firmware paints its screen.
	escapes = regexp.MustCompile(`\x1b(\[[0-9;?=]*[A-Za-z]|c|[()][A-Z0-9])`)
	panics  = regexp.MustCompile(`Kernel panic - not syncing: ([^\r\n]*)`)
)

// text returns what is kept, as a terminal would have shown it line by line.
func (r *ring) text() string {
	b := escapes.ReplaceAll(r.bytes(), nil)
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	return string(bytes.ReplaceAll(b, []byte("\r"), nil))
}

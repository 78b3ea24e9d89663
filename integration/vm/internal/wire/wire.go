// Package wire is what a guest's init and the host say to each other over a serial
// port: frames, each a line of a letter, a space and the payload in base64. Lines
// are what a port without flow control of its own carries best: after lost or
// foreign bytes the next line is sound again.
package wire

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Kind says what a frame is.
type Kind byte

// The kinds of frames.
const (
	// From the guest.
	Hello   Kind = 'H' // init runs
	Stdout  Kind = 'o' // bytes that the program wrote
	Stderr  Kind = 'e'
	Taken   Kind = 'k' // the program has taken the last Stdin
	File    Kind = 'f' // JSON of [FileData]: a file follows
	Data    Kind = 'd' // bytes of that file
	Trouble Kind = 't' // text: init could not do its work; the last frame
	Exit    Kind = 'x' // JSON of [ExitData]: the last frame
	Ask     Kind = 'q' // JSON of [Request]

	// From the host.
	Stdin    Kind = 'i' // bytes for the program; the next only after Taken
	EndStdin Kind = 'c' // no more of them
	Signal   Kind = 's' // decimal number of a signal for the program
	Answer   Kind = 'a' // JSON of [Response]
)

// FileData is the payload of File.
type FileData struct {
	Path string
	Mode uint32 // permission bits
	Size int64
}

// ExitData is the payload of Exit.
type ExitData struct {
	Code   int
	Signal int // that ended the program; 0 none
}

// Request is the payload of Ask: a QMP command of a program in the guest.
type Request struct {
	ID        int
	Execute   string
	Arguments json.RawMessage `json:",omitempty"`
}

// Response is the payload of Answer.
type Response struct {
	ID     int
	Return json.RawMessage `json:",omitempty"`
	Error  string          `json:",omitempty"`
}

// MaxPayload is the most bytes of a frame: a line then has at most 4,099.
const MaxPayload = 3072

// ErrFrame is wrapped by the errors for lines that are no frame.
var ErrFrame = errors.New("not a frame")

// Writer writes frames. Its methods may be called at the same time.
type Writer struct {
	mu sync.Mutex
	w  io.Writer
	b  []byte
}

// NewWriter returns a writer of frames to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes a frame; more than [MaxPayload] bytes become several.
func (w *Writer) Write(kind Kind, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		part := payload[:min(len(payload), MaxPayload)]
		payload = payload[len(part):]
		w.b = append(w.b[:0], byte(kind), ' ')
		w.b = base64.StdEncoding.AppendEncode(w.b, part)
		w.b = append(w.b, '\n')
		if _, err := w.w.Write(w.b); err != nil {
			return err
		}
		if len(payload) == 0 {
			return nil
		}
	}
}

// WriteJSON writes a frame whose payload is the JSON of v, which has to fit into
// one.
func (w *Writer) WriteJSON(kind Kind, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(b) > MaxPayload {
		return fmt.Errorf("a frame of %d bytes, at most are %d", len(b), MaxPayload)
	}
	return w.Write(kind, b)
}

// Stream returns a writer that writes each piece as a frame.
func (w *Writer) Stream(kind Kind) io.Writer { return stream{w, kind} }

type stream struct {
	w    *Writer
	kind Kind
}

func (s stream) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return len(p), s.w.Write(s.kind, p)
}

// Reader reads frames.
type Reader struct{ r *bufio.Reader }

// NewReader returns a reader of the frames in r.
func NewReader(r io.Reader) *Reader {
	return &Reader{bufio.NewReaderSize(r, 2*MaxPayload)}
}

// Read returns the next frame. A line that is none is [ErrFrame]; one can read on
// after it. The end is io.EOF, in the middle of a line io.ErrUnexpectedEOF.
func (r *Reader) Read() (Kind, []byte, error) {
	line, err := r.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.r.ReadSlice('\n')
		}
		return 0, nil, fmt.Errorf("%w: a line of more than %d bytes", ErrFrame, 2*MaxPayload)
	case errors.Is(err, io.EOF) && len(line) > 0:
		return 0, nil, io.ErrUnexpectedEOF
	case err != nil:
		return 0, nil, err
	}
	line = line[:len(line)-1]
	if len(line) < 2 || line[1] != ' ' {
		return 0, nil, fmt.Errorf("%w: %.60q", ErrFrame, line)
	}
	payload, err := base64.StdEncoding.AppendDecode(nil, line[2:])
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %.60q: %w", ErrFrame, line, err)
	}
	return Kind(line[0]), payload, nil
}

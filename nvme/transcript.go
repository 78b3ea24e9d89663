package nvme

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A transcript is a file of JSON lines, one for each command or operation:
//
//	{"queue":"admin","opcode":6,"name":"identify","cdw10":1,"read":"86802a01…","bytes":4096}
//
// Numbers that are zero are left out. Buffers are hexadecimal, without the zeros
// at their end; "bytes" and "metadata_bytes" are their full lengths. "name" is
// for the reader only.
type transcriptLine struct {
	Operation string `json:"operation,omitempty"`

	Queue         string     `json:"queue,omitempty"`
	Opcode        Opcode     `json:"opcode"`
	Name          string     `json:"name,omitempty"`
	NSID          uint32     `json:"nsid,omitempty"`
	CDW2          uint32     `json:"cdw2,omitempty"`
	CDW3          uint32     `json:"cdw3,omitempty"`
	CDW10         uint32     `json:"cdw10,omitempty"`
	CDW11         uint32     `json:"cdw11,omitempty"`
	CDW12         uint32     `json:"cdw12,omitempty"`
	CDW13         uint32     `json:"cdw13,omitempty"`
	CDW14         uint32     `json:"cdw14,omitempty"`
	CDW15         uint32     `json:"cdw15,omitempty"`
	Bytes         int        `json:"bytes,omitempty"`
	MetadataBytes int        `json:"metadata_bytes,omitempty"`
	Written       hexTrimmed `json:"written,omitempty"`
	WrittenMeta   hexTrimmed `json:"written_metadata,omitempty"`

	Result   uint64     `json:"result,omitempty"`
	Status   Status     `json:"status,omitempty"`
	Read     hexTrimmed `json:"read,omitempty"`
	ReadMeta hexTrimmed `json:"read_metadata,omitempty"`
	Error    string     `json:"error,omitempty"`
}

// hexTrimmed is a buffer without the zeros at its end.
type hexTrimmed []byte

func (h hexTrimmed) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

func (h *hexTrimmed) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode(nil, text)
	return err
}

// trim copies b without the zeros at its end.
func trim(b []byte) hexTrimmed { return bytes.Clone(bytes.TrimRight(b, "\x00")) }

// request describes a command as the transcript holds it, without its outcome.
func request(cmd *Command) transcriptLine {
	line := transcriptLine{
		Queue: cmd.Queue.String(), Opcode: cmd.Opcode, Name: cmd.Name(), NSID: cmd.NSID,
		CDW2: cmd.CDW2, CDW3: cmd.CDW3, CDW10: cmd.CDW10, CDW11: cmd.CDW11, CDW12: cmd.CDW12,
		CDW13: cmd.CDW13, CDW14: cmd.CDW14, CDW15: cmd.CDW15,
		Bytes: len(cmd.Data), MetadataBytes: len(cmd.Metadata),
	}
	if cmd.Opcode.Direction()&ToController != 0 {
		line.Written, line.WrittenMeta = trim(cmd.Data), trim(cmd.Metadata)
	}
	return line
}

// sameRequest compares two commands, without their outcomes.
func sameRequest(a, b *transcriptLine) bool {
	return a.Operation == b.Operation && a.Queue == b.Queue && a.Opcode == b.Opcode && a.NSID == b.NSID &&
		a.CDW2 == b.CDW2 && a.CDW3 == b.CDW3 && a.CDW10 == b.CDW10 && a.CDW11 == b.CDW11 && a.CDW12 == b.CDW12 &&
		a.CDW13 == b.CDW13 && a.CDW14 == b.CDW14 && a.CDW15 == b.CDW15 &&
		a.Bytes == b.Bytes && a.MetadataBytes == b.MetadataBytes &&
		bytes.Equal(a.Written, b.Written) && bytes.Equal(a.WrittenMeta, b.WrittenMeta)
}

// Recorder is a Transport that writes down what passes through it; see
// [NewRecorder].
type Recorder struct {
	t  Transport
	mu sync.Mutex
	w  *json.Encoder
}

// NewRecorder returns a Transport that passes commands on to t and writes a
// transcript of them to w, for [NewReplayer]. A command whose line cannot be
// written fails, although the drive has carried it out.
//
// NB: A transcript holds the data that was read and written, and the drive's
// serial number.
func NewRecorder(t Transport, w io.Writer) *Recorder {
	return &Recorder{t: t, w: json.NewEncoder(w)}
}

// Submit implements [Transport].
func (r *Recorder) Submit(ctx context.Context, cmd Command) (Completion, error) {
	line := request(&cmd)
	done, err := r.t.Submit(ctx, cmd)
	line.Result, line.Status = done.Result, done.Status
	if err != nil {
		line.Error = err.Error()
	} else if cmd.Opcode.Direction()&FromController != 0 {
		line.Read, line.ReadMeta = trim(cmd.Data), trim(cmd.Metadata)
	}
	return done, errors.Join(err, r.write(&line))
}

// Operate implements [Operator].
func (r *Recorder) Operate(ctx context.Context, op Operation) error {
	line := transcriptLine{Operation: op.String()}
	err := operate(ctx, r.t, op)
	if err != nil {
		line.Error = err.Error()
	}
	return errors.Join(err, r.write(&line))
}

func (r *Recorder) write(line *transcriptLine) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.w.Encode(line); err != nil {
		return fmt.Errorf("nvme: write transcript: %w", err)
	}
	return nil
}

// Replayer is a Transport that answers from a transcript; see [NewReplayer].
type Replayer struct {
	mu    sync.Mutex
	lines []transcriptLine
	next  int
}

// NewReplayer returns a Transport that answers from a transcript which a
// [Recorder] wrote. It wants the same commands with the same data in the same
// order, and fails with [ErrTranscript] for any other, which leaves it where it
// is. An error of the transport comes back as its text.
func NewReplayer(transcript io.Reader) (*Replayer, error) {
	r := new(Replayer)
	for lines := json.NewDecoder(transcript); ; {
		var line transcriptLine
		switch err := lines.Decode(&line); {
		case errors.Is(err, io.EOF):
			return r, nil
		case err != nil:
			return nil, fmt.Errorf("nvme: transcript: entry %d: %w", len(r.lines)+1, err)
		case len(line.Read) > line.Bytes || len(line.ReadMeta) > line.MetadataBytes:
			return nil, fmt.Errorf("nvme: transcript: entry %d: more data than the buffer of %d+%d bytes holds",
				len(r.lines)+1, line.Bytes, line.MetadataBytes)
		}
		r.lines = append(r.lines, line)
	}
}

// Submit implements [Transport].
func (r *Replayer) Submit(ctx context.Context, cmd Command) (Completion, error) {
	if err := ctx.Err(); err != nil {
		return Completion{}, err
	}
	if err := cmd.check(); err != nil {
		return Completion{}, err
	}
	want := request(&cmd)
	line, err := r.take(&want, cmd.String())
	if err != nil {
		return Completion{}, err
	}
	if line.Error == "" && cmd.Opcode.Direction()&FromController != 0 {
		clear(cmd.Data[copy(cmd.Data, line.Read):])
		clear(cmd.Metadata[copy(cmd.Metadata, line.ReadMeta):])
	}
	return Completion{Result: line.Result, Status: line.Status}, line.err()
}

// Operate implements [Operator].
func (r *Replayer) Operate(ctx context.Context, op Operation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	line, err := r.take(&transcriptLine{Operation: op.String()}, op.String())
	if err != nil {
		return err
	}
	return line.err()
}

// Remaining returns how many entries of the transcript are left: zero when all
// that was recorded has been asked for.
func (r *Replayer) Remaining() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.lines) - r.next
}

func (r *Replayer) take(want *transcriptLine, what string) (*transcriptLine, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == len(r.lines) {
		return nil, fmt.Errorf("nvme: %s: %w, which has ended after %d entries", what, ErrTranscript, r.next)
	}
	line := &r.lines[r.next]
	if !sameRequest(line, want) {
		return nil, fmt.Errorf("nvme: %s: %w: entry %d is %s", what, ErrTranscript, r.next+1, line.what())
	}
	r.next++
	return line, nil
}

// what describes the request of the line.
func (l *transcriptLine) what() string {
	if l.Operation != "" {
		return l.Operation
	}
	cmd := Command{
		Opcode: l.Opcode, NSID: l.NSID, CDW2: l.CDW2, CDW3: l.CDW3, CDW10: l.CDW10, CDW11: l.CDW11, CDW12: l.CDW12,
		CDW13: l.CDW13, CDW14: l.CDW14, CDW15: l.CDW15,
	}
	if l.Queue == IOQueue.String() {
		cmd.Queue = IOQueue
	}
	return fmt.Sprintf("%v with %d+%d bytes", cmd, l.Bytes, l.MetadataBytes)
}

func (l *transcriptLine) err() error {
	if l.Error == "" {
		return nil
	}
	return errors.New(l.Error)
}

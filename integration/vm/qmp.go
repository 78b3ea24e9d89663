package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Event is what QEMU tells of itself: docs/interop/qmp-spec.txt, 2.5.
type Event struct {
	Name string          `json:"event"` // "SHUTDOWN", "RESET", "DEVICE_DELETED"
	Data json.RawMessage `json:"data"`
}

// message is all that QEMU may send.
type message struct {
	Event
	Greeting json.RawMessage `json:"QMP"`
	Return   json.RawMessage `json:"return"`
	Error    *QMPError       `json:"error"`
	ID       uint64          `json:"id"`
}

// qmp is a connection to QEMU's monitor.
type qmp struct {
	conn io.ReadWriteCloser

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan message
	events  []Event       // all of them, for whoever looks later
	changed chan struct{} // closed and replaced with every event
	err     error         // ErrGone once it has ended
}

// newQMP greets QEMU, which may still have to start.
func newQMP(conn io.ReadWriteCloser) *qmp {
	q := &qmp{conn: conn, waiting: map[uint64]chan message{}, changed: make(chan struct{})}
	go q.read()
	return q
}

// read takes what QEMU sends until it ends.
func (q *qmp) read() {
	dec := json.NewDecoder(bufio.NewReader(q.conn))
	for {
		var m message
		if dec.Decode(&m) != nil { // at QEMU's end in several ways: EOF, a reset, our Close
			q.end()
			return
		}
		q.mu.Lock()
		switch {
		case m.Name != "":
			q.events = append(q.events, m.Event)
			close(q.changed)
			q.changed = make(chan struct{})
		case q.waiting[m.ID] != nil:
			q.waiting[m.ID] <- m
			delete(q.waiting, m.ID)
		}
		q.mu.Unlock()
	}
}

func (q *qmp) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = ErrGone
	for id, c := range q.waiting {
		close(c)
		delete(q.waiting, id)
	}
	close(q.changed)
	q.changed = make(chan struct{})
}

// execute sends a command and waits for its answer.
func (q *qmp) execute(ctx context.Context, command string, arguments, result any) error {
	answer, err := q.send(command, arguments)
	if err != nil {
		return fmt.Errorf("QMP command %s: %w", command, err)
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("QMP command %s: %w", command, context.Cause(ctx))
	case m, ok := <-answer:
		switch {
		case !ok:
			return fmt.Errorf("QMP command %s: %w", command, ErrGone)
		case m.Error != nil:
			m.Error.Command = command
			return m.Error
		case result != nil:
			return json.Unmarshal(m.Return, result)
		}
		return nil
	}
}

func (q *qmp) send(command string, arguments any) (<-chan message, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return nil, q.err
	}
	q.next++
	b, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
		ID        uint64 `json:"id"`
	}{command, arguments, q.next})
	if err != nil {
		return nil, err
	}
	answer := make(chan message, 1)
	q.waiting[q.next] = answer
	if _, err := q.conn.Write(append(b, '\n')); err != nil {
		delete(q.waiting, q.next)
		return nil, errors.Join(ErrGone, err)
	}
	return answer, nil
}

// mark returns the number of events so far, for wait.
func (q *qmp) mark() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.events)
}

// wait waits for an event after the mark that match accepts.
func (q *qmp) wait(ctx context.Context, mark int, match func(Event) bool) (Event, error) {
	for {
		q.mu.Lock()
		for ; mark < len(q.events); mark++ {
			if e := q.events[mark]; match(e) {
				q.mu.Unlock()
				return e, nil
			}
		}
		changed, err := q.changed, q.err
		q.mu.Unlock()
		if err != nil {
			return Event{}, err
		}
		select {
		case <-ctx.Done():
			return Event{}, context.Cause(ctx)
		case <-changed:
		}
	}
}

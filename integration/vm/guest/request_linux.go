package guest

import (
	"bufio"
	"encoding/json"
	"net"
	"sync"

	"github.com/drivebay/drivebay/integration/vm/internal/wire"
)

// requests passes QMP commands of programs in the guest on to the host: a line of
// JSON comes in at a socket, goes out as a frame, and comes back the same way.
type requests struct {
	out *wire.Writer

	mu      sync.Mutex
	next    int
	waiting map[int]chan wire.Response
}

func newRequests(out *wire.Writer) *requests {
	return &requests{out: out, waiting: map[int]chan wire.Response{}}
}

func (r *requests) serve() {
	listener, err := net.Listen("unix", socketPath)
	if err != nil {
		return // a kernel without Unix sockets
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go r.handle(conn)
	}
}

func (r *requests) handle(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, wire.MaxPayload)
	answers := json.NewEncoder(conn)
	for lines.Scan() {
		response, err := r.ask(lines.Bytes())
		if err != nil {
			response.Error = err.Error()
		}
		if err := answers.Encode(response); err != nil {
			return
		}
	}
}

func (r *requests) ask(line []byte) (wire.Response, error) {
	var request wire.Request
	if err := json.Unmarshal(line, &request); err != nil {
		return wire.Response{}, err
	}
	answer := make(chan wire.Response, 1)
	r.mu.Lock()
	r.next++
	request.ID = r.next
	r.waiting[request.ID] = answer
	r.mu.Unlock()
	if err := r.out.WriteJSON(wire.Ask, request); err != nil {
		return wire.Response{}, err
	}
	return <-answer, nil
}

func (r *requests) answer(payload []byte) {
	var response wire.Response
	if err := json.Unmarshal(payload, &response); err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.waiting[response.ID]; c != nil {
		c <- response
		delete(r.waiting, response.ID)
	}
}

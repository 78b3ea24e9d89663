package tcptarget

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// queue is a connection, which is one submission and completion queue. One
// goroutine reads it; each command is carried out by its own.
type queue struct {
	t    *Target
	conn net.Conn
	in   *bufio.Reader
	framing

	association *association // nil before Connect
	id          uint16
	size        int  // entries
	flow        bool // SQHD is told

	// Of the reader alone.
	header    [maxHeaderSize + digestSize]byte // of the PDU being read
	headerLen int
	receiving map[uint16]*transfer // by command identifier: data is asked for by R2T

	mu   sync.Mutex // what follows
	open map[uint16]bool
	head uint16 // SQHD
	out  *bufio.Writer
}

// transfer is a command whose data is on its way.
type transfer struct {
	entry    wire.SQE
	data     []byte
	received int
	damaged  bool // a data digest did not match
	fault    Fault
}

func newQueue(t *Target, conn net.Conn) *queue {
	return &queue{
		t: t, conn: conn, in: bufio.NewReaderSize(conn, 64<<10), out: bufio.NewWriterSize(conn, 64<<10),
		receiving: make(map[uint16]*transfer), open: make(map[uint16]bool),
	}
}

// which is the kind of queue that it is to the drive.
func (q *queue) which() nvme.Queue {
	if q.id == 0 {
		return nvme.AdminQueue
	}
	return nvme.IOQueue
}

// serve serves the connection to its end.
func (q *queue) serve() {
	err := q.run()
	var f *fatalError
	switch {
	case errors.As(err, &f):
		q.t.o.Logf("%v: queue %d: %v", q.conn.RemoteAddr(), q.id, err)
		q.terminate(f)
	case !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed):
		q.t.o.Logf("%v: queue %d: %v", q.conn.RemoteAddr(), q.id, err)
	}
	_ = q.conn.Close()
	// A host that closes an I/O queue may go on with the others: Linux does so on
	// its way into a reset.
	if a := q.association; a != nil && (q.id == 0 || f != nil) {
		a.end("connection lost")
	} else if a != nil {
		a.leave(q)
	}
	q.t.mu.Lock()
	delete(q.t.queues, q)
	q.t.mu.Unlock()
}

// run reads PDUs until there are no more, which is an error.
func (q *queue) run() error {
	if err := q.conn.SetReadDeadline(time.Now().Add(initTimeout)); err != nil {
		return err
	}
	if err := q.initialize(); err != nil {
		return err
	}
	for {
		h, err := q.read()
		if err != nil {
			return err
		}
		switch h.Type {
		case typeCapsuleCmd:
			err = q.capsule(&h)
		case typeH2CData:
			err = q.hostData(&h)
		case typeH2CTermReq:
			return q.hostTerminates(&h)
		default:
			err = fatal(fesSequence, 0, "ICReq on a connection that is initialized")
		}
		if err != nil {
			return err
		}
	}
}

// limit returns how many bytes of data a PDU of a type may carry.
func (q *queue) limit(t pduType) int {
	if t == typeH2CData {
		return q.t.o.MaxH2CData
	}
	if q.association == nil || q.id == 0 {
		return adminInCapsule
	}
	return q.t.o.InCapsule
}

// read reads the header of the next PDU, and checks it. Its data is still to be
// read.
func (q *queue) read() (h commonHeader, err error) {
	q.headerLen = 0
	if _, err := io.ReadFull(q.in, q.header[:commonSize]); err != nil {
		return h, err
	}
	q.headerLen = commonSize
	kind := pduType(q.header[0])
	size := q.headSize(kind)
	if size == 0 {
		return q.decodeCommon(q.header[:], 0)
	}
	if _, err := io.ReadFull(q.in, q.header[commonSize:size]); err != nil {
		return h, unexpected(err)
	}
	q.headerLen = size
	if base := headerSizes[kind]; size > base {
		got, want := binary.LittleEndian.Uint32(q.header[base:]), digest(q.header[:base])
		if got != want {
			return h, fatal(fesHeaderDigest, got, "%#08x, want %#08x", got, want)
		}
	}
	return q.decodeCommon(q.header[:], q.limit(kind))
}

// unexpected turns the end of a stream within a PDU into an error.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readData reads a PDU's data, and reports whether its digest matches.
func (q *queue) readData(data []byte) (intact bool, err error) {
	if _, err := io.ReadFull(q.in, data); err != nil {
		return false, unexpected(err)
	}
	if !q.dataDigest {
		return true, nil
	}
	var b [digestSize]byte
	if _, err := io.ReadFull(q.in, b[:]); err != nil {
		return false, unexpected(err)
	}
	return binary.LittleEndian.Uint32(b[:]) == digest(data), nil
}

// initialize exchanges ICReq and ICResp: NVMe TCP Transport 1.0, 3.2.
func (q *queue) initialize() error {
	h, err := q.read()
	if err != nil {
		return err
	}
	if h.Type != typeICReq {
		return fatal(fesSequence, 0, "PDU type %#02x before ICReq", uint8(h.Type))
	}
	var req initPDU
	if err := wire.Decode(q.header[:icSize], req.walk); err != nil {
		return err
	}
	switch {
	case req.Format != 0:
		return fatal(fesUnsupported, 8, "PFV is %d, want 0", req.Format)
	case req.Alignment > 31:
		return fatal(fesHeaderField, 10, "HPDA is %d, want 0 to 31", req.Alignment)
	case req.Digests > 3:
		return fatal(fesHeaderField, 11, "DGST is %#02x, want bits 0 and 1 alone", req.Digests)
	}
	resp := initPDU{commonHeader: commonHeader{Type: typeICResp, HeaderSize: icSize, Size: icSize},
		Digests: req.Digests, Limit: uint32(q.t.o.MaxH2CData)}
	if err := q.send(icSize, resp.walk, nil); err != nil {
		return err
	}
	q.hostAlignment = (int(req.Alignment) + 1) * 4
	q.headerDigest, q.dataDigest = req.Digests&1 != 0, req.Digests&2 != 0
	return nil
}

// terminate tells the host what was wrong, and waits a while for it to close.
func (q *queue) terminate(f *fatalError) {
	bad := q.header[:min(q.headerLen, maxTermData)]
	p := termPDU{commonHeader: commonHeader{Type: typeC2HTermReq, HeaderSize: termSize}, Status: f.Status, Info: f.Offset}
	if err := q.send(termSize, p.walk, bad); err != nil {
		return
	}
	if c, ok := q.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
	if q.conn.SetReadDeadline(time.Now().Add(lingerTimeout)) == nil {
		_, _ = io.Copy(io.Discard, q.in)
	}
}

// hostTerminates is the end of a connection by the host's H2CTermReq.
func (q *queue) hostTerminates(h *commonHeader) error {
	var p termPDU
	if err := wire.Decode(q.header[:termSize], p.walk); err != nil {
		return err
	}
	return fmt.Errorf("tcptarget: the host ends the connection: %v, %#x", p.Status, p.Info)
}

package tcptarget

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/internal/wire"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// host is the other side of a queue: as little of it as tests need.
type host struct {
	t    testing.TB
	conn net.Conn
	framing
	limit uint32 // MAXH2CDATA
	cid   uint16
}

// pdu is one that the target has sent.
type pdu struct {
	commonHeader
	header []byte // without its digest
	data   []byte
}

const hostTimeout = time.Minute

func serve(t testing.TB, o Options, p nvmetest.Profile, changes ...func(*nvmetest.Profile)) (*Target, *nvmetest.Drive) {
	t.Helper()
	drive, err := nvmetest.New(p, changes...)
	require.NoError(t, err)
	target, err := Listen(t.Context(), drive, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, target.Close()) })
	return target, drive
}

func dial(t testing.TB, target *Target) *host {
	t.Helper()
	conn, err := net.Dial("tcp", target.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(hostTimeout)))
	return &host{t: t, conn: conn, framing: framing{hostAlignment: 4}}
}

// open exchanges ICReq and ICResp.
func (h *host) open(digests uint8, alignment uint8) *host {
	h.t.Helper()
	h.write(icSize, (&initPDU{commonHeader: commonHeader{Type: typeICReq, HeaderSize: icSize, Size: icSize},
		Digests: digests, Alignment: alignment}).walk, nil)
	var resp initPDU
	p := h.read()
	require.NoError(h.t, wire.Decode(p.header, resp.walk))
	require.Equal(h.t, commonHeader{Type: typeICResp, HeaderSize: icSize, Size: icSize}, p.commonHeader)
	require.Equal(h.t, digests, resp.Digests)
	h.limit = resp.Limit
	h.headerDigest, h.dataDigest = digests&1 != 0, digests&2 != 0
	h.hostAlignment = (int(alignment) + 1) * 4
	return h
}

// write sends a PDU that is right, whatever its header has for sizes and flags.
func (h *host) write(size int, walk func(*wire.Walker), data []byte) {
	h.t.Helper()
	b := h.encode(size, walk, data)
	_, err := h.conn.Write(b)
	require.NoError(h.t, err)
}

func (h *host) encode(size int, walk func(*wire.Walker), data []byte) []byte {
	b := make([]byte, size)
	require.NoError(h.t, wire.Encode(b, walk))
	kind := pduType(b[0])
	if digests := kind == typeCapsuleCmd || kind == typeH2CData; digests {
		b[1] |= h.flags(len(data) > 0)
		total := h.headSize(kind) + len(data)
		if len(data) > 0 {
			b[3] = uint8(h.headSize(kind))
			total += h.tail()
		}
		binary.LittleEndian.PutUint32(b[4:], uint32(total))
		if h.headerDigest {
			b = binary.LittleEndian.AppendUint32(b, digest(b))
		}
	}
	b = append(b, data...)
	if len(data) > 0 && h.dataDigest {
		b = binary.LittleEndian.AppendUint32(b, digest(data))
	}
	return b
}

// read reads a PDU, and checks its frame.
func (h *host) read() pdu {
	h.t.Helper()
	b := make([]byte, commonSize)
	_, err := io.ReadFull(h.conn, b)
	require.NoError(h.t, err)
	var p pdu
	require.NoError(h.t, wire.Decode(b, p.walk))
	rest := make([]byte, int(p.Size)-commonSize)
	_, err = io.ReadFull(h.conn, rest)
	require.NoError(h.t, err)
	b = append(b, rest...)
	p.header = b[:p.HeaderSize]
	at := int(p.HeaderSize)
	if p.Flags&flagHeaderDigest != 0 {
		require.Equal(h.t, digest(p.header), binary.LittleEndian.Uint32(b[at:]))
		at += digestSize
	}
	if p.DataOffset != 0 {
		require.Zero(h.t, int(p.DataOffset)%h.hostAlignment)
		at = int(p.DataOffset)
	}
	p.data = b[at:]
	if p.Flags&flagDataDigest != 0 {
		p.data = p.data[:len(p.data)-digestSize]
		require.Equal(h.t, digest(p.data), binary.LittleEndian.Uint32(b[len(b)-digestSize:]))
	}
	return p
}

// terminated reads a C2HTermReq, and the end.
func (h *host) terminated() (fatalStatus, uint32) {
	h.t.Helper()
	p := h.read()
	require.Equal(h.t, typeC2HTermReq, p.Type)
	var term termPDU
	require.NoError(h.t, wire.Decode(p.header, term.walk))
	_, err := h.conn.Read(make([]byte, 1))
	require.ErrorIs(h.t, err, io.EOF)
	return term.Status, term.Info
}

// entry makes a submission queue entry of a drive's command.
func (h *host) entry(cmd nvme.Command) wire.SQE {
	h.cid++
	return wire.SQE{Opcode: uint8(cmd.Opcode), Flags: 0x40, CID: h.cid, NSID: cmd.NSID, CDW2: cmd.CDW2, CDW3: cmd.CDW3,
		CDW1015: [6]uint32{cmd.CDW10, cmd.CDW11, cmd.CDW12, cmd.CDW13, cmd.CDW14, cmd.CDW15}}
}

// post sends a capsule: with the data in it, or with a descriptor of length bytes.
func (h *host) post(e wire.SQE, inCapsule []byte, length int) {
	h.t.Helper()
	d := sgl{Type: sglTransport, Length: uint32(length)}
	if inCapsule != nil {
		d = sgl{Type: sglOffset, Length: uint32(len(inCapsule))}
	}
	require.NoError(h.t, wire.Encode(e.DPTR[:], d.walk))
	p := commandPDU{commonHeader: commonHeader{Type: typeCapsuleCmd, HeaderSize: commandSize}, Entry: e}
	h.write(commandSize, p.walk, inCapsule)
}

// finish goes on with a command until it is completed: data goes into or comes
// out of data.
func (h *host) finish(data []byte) wire.CQE {
	h.t.Helper()
	for {
		p := h.read()
		switch p.Type {
		case typeCapsuleRsp:
			var resp responsePDU
			require.NoError(h.t, wire.Decode(p.header, resp.walk))
			return resp.Entry
		case typeC2HData:
			var d dataPDU
			require.NoError(h.t, wire.Decode(p.header, d.walk))
			require.Len(h.t, p.data, int(d.Length))
			require.LessOrEqual(h.t, int(d.Offset)+len(p.data), len(data))
			copy(data[d.Offset:], p.data)
		case typeR2T:
			var r dataPDU
			require.NoError(h.t, wire.Decode(p.header, r.walk))
			h.supply(r, data)
		default:
			require.Failf(h.t, "unexpected PDU", "%+v", p)
		}
	}
}

// supply answers an R2T.
func (h *host) supply(r dataPDU, data []byte) {
	for end := r.Offset + r.Length; r.Offset < end; {
		n := min(h.limit, end-r.Offset)
		d := dataPDU{commonHeader: commonHeader{Type: typeH2CData, HeaderSize: dataHeaderSize},
			CommandID: r.CommandID, Tag: r.Tag, Offset: r.Offset, Length: n}
		if r.Offset+n == end {
			d.Flags = flagLast
		}
		h.write(dataHeaderSize, d.walk, data[r.Offset:r.Offset+n])
		r.Offset += n
	}
}

// do sends a command of the drive, its data by R2T.
func (h *host) do(cmd nvme.Command) (nvme.Completion, wire.CQE) {
	h.t.Helper()
	h.post(h.entry(cmd), nil, len(cmd.Data))
	e := h.finish(cmd.Data)
	return nvme.Completion{Result: e.Result, Status: nvme.Status(e.Status >> 1)}, e
}

func (h *host) connectEntry(c connectCommand) wire.SQE {
	h.cid++
	b := make([]byte, wire.SQESize)
	require.NoError(h.t, wire.Encode(b, c.walk))
	var e wire.SQE
	require.NoError(h.t, wire.Decode(b, e.Walk))
	e.Opcode, e.Flags, e.CID, e.NSID = opcodeFabrics, 0x40, h.cid, fabricsConnect
	return e
}

// connect sends Connect.
func (h *host) connect(c connectCommand, d connectData) nvme.Completion {
	h.t.Helper()
	data := make([]byte, connectDataSize)
	require.NoError(h.t, wire.Encode(data, d.walk))
	h.post(h.connectEntry(c), data, 0)
	e := h.finish(nil)
	return nvme.Completion{Result: e.Result, Status: nvme.Status(e.Status >> 1)}
}

func (h *host) property(set bool, c propertyCommand) nvme.Completion {
	h.t.Helper()
	h.cid++
	b := make([]byte, wire.SQESize)
	require.NoError(h.t, wire.Encode(b, c.walk))
	var e wire.SQE
	require.NoError(h.t, wire.Decode(b, e.Walk))
	e.Opcode, e.Flags, e.CID, e.NSID = opcodeFabrics, 0x40, h.cid, fabricsPropertyGet
	if set {
		e.NSID = fabricsPropertySet
	}
	h.post(e, nil, 0)
	r := h.finish(nil)
	return nvme.Completion{Result: r.Result, Status: nvme.Status(r.Status >> 1)}
}

const ccOn = ccEntrySizes | ccEnable

func testHost(nqn string) connectData {
	return connectData{HostID: [16]byte{1}, ControllerID: 0xffff, SubsystemNQN: nqn, HostNQN: "nqn.2014-08.test:host"}
}

// admin connects an admin queue, and enables the controller.
func admin(t testing.TB, target *Target, digests uint8) *host {
	t.Helper()
	h := dial(t, target).open(digests, 0)
	done := h.connect(connectCommand{Size: 31}, testHost(target.NQN()))
	require.Equal(t, nvme.StatusSuccess, done.Status)
	require.Equal(t, nvme.Completion{}, h.property(true, propertyCommand{Offset: propertyCC, Value: ccOn}))
	return h
}

// ioQueue connects an I/O queue.
func ioQueue(t testing.TB, target *Target, id, controller uint16, digests uint8) *host {
	t.Helper()
	d := testHost(target.NQN())
	d.ControllerID = controller
	h := dial(t, target).open(digests, 3)
	require.Equal(t, nvme.Completion{Result: uint64(controller)}, h.connect(connectCommand{QueueID: id, Size: 127}, d))
	return h
}

package tcptarget

import (
	"encoding/binary"
	"errors"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// Statuses that the same command will get again.
var (
	invalidField  = nvme.StatusInvalidField.WithDNR()
	sequenceError = nvme.StatusSequenceError.WithDNR()
	invalidLength = nvme.StatusInvalidSGLDataLength.WithDNR()
)

// capsule takes a command capsule in.
func (q *queue) capsule(h *commonHeader) error {
	var p commandPDU
	if err := wire.Decode(q.header[:commandSize], p.walk); err != nil {
		return err
	}
	var data []byte
	intact := true
	if n := q.dataSize(h); n > 0 {
		data = make([]byte, n)
		var err error
		if intact, err = q.readData(data); err != nil {
			return err
		}
	}
	conflict, err := q.admit(p.Entry.CID)
	switch {
	case err != nil:
		return err
	case conflict:
		return q.sendResponse(p.Entry.CID, nvme.Completion{Status: nvme.StatusCommandIDConflict.WithDNR()}, damage{})
	case !intact:
		return q.respond(p.Entry.CID, nvme.Completion{Status: nvme.StatusTransientTransport})
	}
	if s := q.dispatch(&p.Entry, data); s != nvme.StatusSuccess {
		return q.respond(p.Entry.CID, nvme.Completion{Status: s})
	}
	return nil
}

// admit counts a command, and reports whether its identifier is in use.
func (q *queue) admit(cid uint16) (conflict bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.size > 0 {
		q.head = uint16((int(q.head) + 1) % q.size)
	}
	if q.open[cid] {
		return true, nil
	}
	if len(q.open) >= max(q.size, 1) {
		return false, fatal(fesSequence, 8, "more than %d commands in a queue of that size", max(q.size, 1))
	}
	q.open[cid] = true
	return false, nil
}

// dispatch checks a command's frame, and lets it be carried out, at once or when
// its data is there. The status is for commands that go no further.
func (q *queue) dispatch(e *wire.SQE, data []byte) nvme.Status {
	var d sgl
	if err := wire.Decode(e.DPTR[:], d.walk); err != nil {
		return nvme.StatusInternalError
	}
	if s := q.checkFrame(e, &d, data); s != nvme.StatusSuccess {
		return s
	}
	if e.Opcode == opcodeFabrics {
		return q.fabrics(e, data)
	}
	a := q.association
	if a == nil || !a.enabled() {
		return sequenceError
	}
	f := q.strike(a, e)
	if nvme.Opcode(e.Opcode).Direction()&nvme.ToController == 0 {
		data = make([]byte, d.Length)
	} else if d.Type == sglTransport && d.Length > 0 {
		return q.requestData(e, d.Length, f)
	}
	q.execute(a, *e, data, f)
	return nvme.StatusSuccess
}

// checkFrame checks what belongs to the transport: FUSE, PSDT, MPTR and the SGL.
func (q *queue) checkFrame(e *wire.SQE, d *sgl, data []byte) nvme.Status {
	const sglsWithoutMetadata = 1 << 6
	switch {
	case e.Flags != sglsWithoutMetadata || e.MPTR != 0:
		return invalidField
	case d.Type != sglOffset && d.Type != sglTransport:
		return nvme.StatusInvalidSGLType.WithDNR()
	case d.Type == sglOffset && d.Address != 0:
		return nvme.StatusInvalidSGLOffset.WithDNR()
	case d.Address != 0:
		return invalidField
	case d.Type == sglOffset && int64(d.Length) != int64(len(data)), d.Type == sglTransport && len(data) > 0:
		return invalidLength
	case d.Length%4 != 0:
		return invalidLength
	case int64(d.Length) > int64(max(q.t.transferLimit(), connectDataSize)):
		return invalidField // above MDTS
	}
	direction := nvme.Opcode(e.Opcode).Direction()
	if d.Type == sglOffset && d.Length > 0 && e.Opcode != opcodeFabrics && direction&nvme.ToController == 0 {
		return nvme.StatusInvalidSGLType.WithDNR()
	}
	return nvme.StatusSuccess
}

// requestData asks for a command's data, all at once.
func (q *queue) requestData(e *wire.SQE, length uint32, f Fault) nvme.Status {
	q.receiving[e.CID] = &transfer{entry: *e, data: make([]byte, length), fault: f}
	p := dataPDU{commonHeader: commonHeader{Type: typeR2T, HeaderSize: r2tSize}, CommandID: e.CID, Tag: e.CID, Length: length}
	if err := q.send(r2tSize, p.walk, nil); err != nil {
		_ = q.conn.Close() // the reader sees it
	}
	return nvme.StatusSuccess
}

// hostData takes a part of a command's data in.
func (q *queue) hostData(h *commonHeader) error {
	var p dataPDU
	if err := wire.Decode(q.header[:dataHeaderSize], p.walk); err != nil {
		return err
	}
	x := q.receiving[p.CommandID]
	switch {
	case x == nil:
		return fatal(fesHeaderField, 8, "H2CData for command %d, which waits for none", p.CommandID)
	case p.Tag != p.CommandID:
		return fatal(fesHeaderField, 10, "H2CData has the transfer tag %d, want that of the R2T, %d", p.Tag, p.CommandID)
	case int64(p.Length) != int64(q.dataSize(h)):
		return fatal(fesHeaderField, 16, "H2CData has %d bytes of data, and says %d", q.dataSize(h), p.Length)
	case int64(p.Offset) != int64(x.received):
		return fatal(fesOutOfRange, 12, "H2CData is at offset %d, want %d", p.Offset, x.received)
	case int64(p.Length) > int64(len(x.data)-x.received):
		return fatal(fesOutOfRange, 16, "H2CData has %d bytes, %d of the R2T are left", p.Length, len(x.data)-x.received)
	}
	end := x.received + int(p.Length)
	if last := p.Flags&flagLast != 0; last != (end == len(x.data)) {
		return fatal(fesHeaderField, 1, "H2CData up to byte %d of %d has LAST_PDU %v", end, len(x.data), last)
	}
	if x.fault.Drop == DropInTransfer {
		return errDropped
	}
	intact, err := q.readData(x.data[x.received:end])
	if err != nil {
		return err
	}
	x.received, x.damaged = end, x.damaged || !intact
	if end < len(x.data) {
		return nil
	}
	delete(q.receiving, p.CommandID)
	switch a := q.association; {
	case x.damaged:
		return q.respond(p.CommandID, nvme.Completion{Status: nvme.StatusTransientTransport})
	case a == nil || !a.enabled(): // the host has disconnected the queue meanwhile
		return q.respond(p.CommandID, nvme.Completion{Status: sequenceError})
	default:
		q.execute(a, x.entry, x.data, x.fault)
	}
	return nil
}

// execute carries a command out in a goroutine of its own, and answers it, unless
// the controller was reset meanwhile.
func (q *queue) execute(a *association, e wire.SQE, data []byte, f Fault) {
	cmd := command(&e, q.which(), data)
	switch {
	case cmd.Queue != nvme.AdminQueue:
	case cmd.Opcode == nvme.AdminKeepAlive:
		a.alive()
	case cmd.Opcode == nvme.AdminIdentify && nvme.CNS(cmd.CDW10) == nvme.CNSActiveNamespaces:
		a.scan()
	}
	generation := a.generation()
	q.t.wait.Go(func() {
		done, err := a.submit(cmd, generation)
		f.holdBack(a)
		if a.generation() != generation {
			return
		}
		if err != nil {
			q.t.o.Logf("%v: queue %d: %v", q.conn.RemoteAddr(), q.id, err)
			a.end("the drive does not answer")
			return
		}
		if err := q.answer(&cmd, e.CID, done, &f); err != nil {
			_ = q.conn.Close() // the reader sees it
		}
	})
}

// answer sends what a command has brought.
func (q *queue) answer(cmd *nvme.Command, cid uint16, done nvme.Completion, f *Fault) error {
	data := cmd.Data
	if cmd.Opcode.Direction() != nvme.FromController || !done.Status.Success() {
		data = nil
	}
	if f.Drop == DropBeforeAnswer || f.Drop == DropInTransfer && len(data) == 0 {
		return errDropped
	}
	if len(data) > 0 {
		if err := q.sendData(cid, data, f.ofData()); err != nil {
			return err
		}
	}
	return q.respondDamaged(cid, done, f.ofAnswer())
}

// errReset says that a command was not sent, as the controller was reset.
var errReset = errors.New("tcptarget: the controller was reset")

// submit hands a command to the drive, and changes in the answer what a
// controller over fabrics has otherwise.
func (a *association) submit(cmd nvme.Command, generation uint64) (nvme.Completion, error) {
	if a.controller == nil {
		return a.discover(&cmd), nil
	}
	if cmd.Queue == nvme.AdminQueue && cmd.Opcode == nvme.AdminKeepAlive && a.t.profile.Controller.KeepAliveGranularity == 0 {
		return nvme.Completion{}, nil // it is mandatory here
	}
	if a.generation() != generation {
		return nvme.Completion{}, errReset
	}
	done, err := a.controller.Submit(a.ctx, cmd)
	if err != nil || !done.Status.Success() || cmd.Queue != nvme.AdminQueue {
		return done, err
	}
	switch {
	case cmd.Opcode == nvme.AdminIdentify && nvme.CNS(cmd.CDW10) == nvme.CNSController:
		a.t.overFabrics(cmd.Data)
	case cmd.Opcode == nvme.AdminSetFeatures && nvme.FeatureID(cmd.CDW10) == nvme.FeatureKeepAlive:
		a.setKeepAlive(cmd.CDW11)
	case cmd.Opcode == nvme.AdminSetFeatures && nvme.FeatureID(cmd.CDW10) == nvme.FeatureNumberOfQueues:
		done.Result = a.limitQueues(done.Result)
	}
	return done, nil
}

// Fields of Identify Controller that a controller over fabrics has otherwise:
// NVMe Base 2.0, Figure 276. They are changed in place, so that a page which a
// fault has corrupted stays so.
const (
	identifyKAS    = 320
	identifyMAXCMD = 514
	identifySGLS   = 536
	identifySUBNQN = 768
	identifyIOCCSZ = 1792
	identifyIORCSZ = 1796
	identifyICDOFF = 1800
	identifyFCATT  = 1802
	identifyMSDBD  = 1803
	identifyOFCS   = 1804
)

// keepAliveUnits is KAS of a drive that has none: 1 s in units of 100 ms.
const keepAliveUnits = 10

// sglSupport is SGLS: SGLs of any alignment, data in capsules by offset, and
// transport data blocks.
const sglSupport = 1 | 1<<20 | 1<<21

// overFabrics changes an Identify Controller page into that of a controller over
// fabrics.
func (t *Target) overFabrics(page []byte) {
	if len(page) < 4096 {
		return
	}
	le := binary.LittleEndian
	if le.Uint16(page[identifyKAS:]) == 0 {
		le.PutUint16(page[identifyKAS:], keepAliveUnits)
	}
	le.PutUint16(page[identifyMAXCMD:], queueDepth)
	le.PutUint32(page[identifySGLS:], sglSupport)
	clear(page[identifySUBNQN : identifySUBNQN+256])
	copy(page[identifySUBNQN:], t.o.NQN)
	le.PutUint32(page[identifyIOCCSZ:], uint32((wire.SQESize+t.o.InCapsule)/16))
	le.PutUint32(page[identifyIORCSZ:], wire.CQESize/16)
	le.PutUint16(page[identifyICDOFF:], 0)
	page[identifyFCATT], page[identifyMSDBD] = 0, 1 // dynamic controllers; one descriptor
	le.PutUint16(page[identifyOFCS:], 1)            // Disconnect
}

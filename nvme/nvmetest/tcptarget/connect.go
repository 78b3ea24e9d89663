package tcptarget

import (
	"time"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/internal/wire"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// fabrics carries out a Fabrics command. The status is for those that are not
// answered here.
func (q *queue) fabrics(e *wire.SQE, data []byte) nvme.Status {
	kind, a := uint8(e.NSID), q.association
	if e.NSID > 0xff {
		return invalidField // reserved
	}
	var done nvme.Completion
	switch {
	case kind == fabricsConnect && a == nil:
		done = q.connect(e, data)
	case a == nil || kind == fabricsConnect:
		return sequenceError
	case (kind == fabricsPropertyGet || kind == fabricsPropertySet) && q.id == 0 && len(data) == 0:
		done = a.property(e)
	case kind == fabricsDisconnect && len(data) == 0:
		done = q.disconnect(e)
	default:
		return invalidField
	}
	if err := q.respond(e.CID, done); err != nil {
		_ = q.conn.Close() // the reader sees it
	}
	if kind == fabricsPropertySet && e.CDW1015[1] == propertyNSSR && done.Status.Success() && e.CDW1015[2] == subsystemResetKey {
		q.t.resetSubsystem()
	}
	return nvme.StatusSuccess
}

// disconnect carries out Disconnect, which deletes an I/O queue: NVMe over Fabrics
// 1.1, 3.4. The host closes the connection.
func (q *queue) disconnect(e *wire.SQE) nvme.Completion {
	var c disconnectCommand
	switch err := fields(e, c.walk); {
	case err != nil:
		return nvme.Completion{Status: invalidField}
	case c.Format != 0:
		return nvme.Completion{Status: statusConnectFormat.WithDNR()}
	case q.id == 0:
		return nvme.Completion{Status: statusQueueType.WithDNR()}
	}
	q.association.leave(q)
	q.association = nil // what comes now is out of sequence
	return nvme.Completion{}
}

// resetSubsystem carries out NSSR: every association ends.
func (t *Target) resetSubsystem() {
	t.drive.Reset(nvmetest.SubsystemReset)
	t.Drop()
}

// invalidParameter is the answer to a Connect with a bad field at an offset, of
// the command or of its data. NVMe Base 2.0, Figure 380.
func invalidParameter(offset uint32, inData bool) nvme.Completion {
	if inData {
		offset |= 1 << 16 // IATTR
	}
	return nvme.Completion{Result: uint64(offset), Status: statusConnectParameters.WithDNR()}
}

// connect carries out Connect: NVMe Base 2.0, 6.3.
func (q *queue) connect(e *wire.SQE, data []byte) nvme.Completion {
	if len(data) != connectDataSize {
		return nvme.Completion{Status: invalidLength}
	}
	var c connectCommand
	var d connectData
	if fields(e, c.walk) != nil || wire.Decode(data, d.walk) != nil {
		return nvme.Completion{Status: nvme.StatusInternalError}
	}
	discovery := d.SubsystemNQN == discoveryNQN
	switch {
	case c.Format != 0:
		return nvme.Completion{Status: statusConnectFormat.WithDNR()}
	case c.Size == 0 || c.Size >= queueDepth:
		return invalidParameter(44, false)
	case c.Attributes&^0xf != 0:
		return invalidParameter(46, false)
	case d.SubsystemNQN != q.t.o.NQN && !discovery:
		return invalidParameter(256, true)
	case !validNQN(d.HostNQN):
		return invalidParameter(512, true)
	case d.HostID == [16]byte{}:
		return invalidParameter(0, true)
	case q.t.o.HostNQN != "" && d.HostNQN != q.t.o.HostNQN:
		return nvme.Completion{Status: statusConnectHost.WithDNR()}
	case c.QueueID != 0 && discovery:
		return invalidParameter(42, false)
	case c.QueueID != 0 && c.KeepAlive != 0:
		return invalidParameter(48, false)
	}
	a, done := q.enter(&c, &d)
	if !done.Status.Success() {
		return done
	}
	q.mu.Lock()
	q.association, q.id, q.size, q.flow = a, c.QueueID, int(c.Size)+1, c.Attributes&4 == 0
	q.head = 1
	q.mu.Unlock()
	if err := q.conn.SetReadDeadline(time.Time{}); err != nil {
		_ = q.conn.Close() // the reader sees it
	}
	if c.QueueID == 0 {
		a.setKeepAlive(c.KeepAlive)
		q.t.o.Logf("tcptarget: controller %d: association with %s", a.id, a.host)
	}
	return nvme.Completion{Result: uint64(a.id)}
}

// enter makes the association by an admin queue, or adds an I/O queue to it.
func (q *queue) enter(c *connectCommand, d *connectData) (*association, nvme.Completion) {
	if c.QueueID == 0 {
		switch {
		case d.ControllerID != 0xffff: // the controllers are dynamic
			return nil, invalidParameter(16, true)
		case d.SubsystemNQN != discoveryNQN && !q.t.powered(): // the host may try again
			return nil, nvme.Completion{Status: statusControllerBusy}
		}
		a := q.t.attach(q, d)
		if a == nil {
			return nil, nvme.Completion{Status: statusControllerBusy}
		}
		return a, nvme.Completion{}
	}
	q.t.mu.Lock()
	a := q.t.associations[d.ControllerID]
	q.t.mu.Unlock()
	switch {
	case a == nil:
		return nil, invalidParameter(16, true)
	case a.host != hostKey(d):
		return nil, nvme.Completion{Status: statusConnectHost.WithDNR()}
	}
	return a, nvme.Completion{Status: a.join(q, c.QueueID)}
}

// validNQN reports whether a name may be an NVMe Qualified Name: NVMe Base 2.0,
// 4.5.
func validNQN(s string) bool { return len(s) > len("nqn.") && len(s) <= 223 && s[:4] == "nqn." }

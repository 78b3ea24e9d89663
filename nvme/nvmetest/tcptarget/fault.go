package tcptarget

import (
	"errors"
	"time"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/internal/wire"
	"github.com/drivebay/drivebay/nvme/nvmetest/internal/inject"
)

// Fault says which commands get into trouble between the drive and the host, and
// how; for trouble of the drive itself there is nvmetest.Fault. The zero value of
// the first fields means any, but for Queue and Opcode: see Any.
type Fault struct {
	Queue      nvme.Queue
	Opcode     nvme.Opcode
	Any        bool   // any opcode and queue: the two fields above are not looked at
	Controller uint16 // 0 is any
	After      int    // lets so many go by first
	Count      int    // and then strikes so often; 0 is for ever

	// CorruptHeader sends the command's answer with a header digest that does not
	// match, and CorruptData the data with such a data digest. They do nothing where
	// the host has not asked for that digest, or the command has no data.
	CorruptHeader, CorruptData bool
	// Delay holds the answer of the drive back for so long, in real time.
	Delay time.Duration
	// Drop closes the queue's connection.
	Drop DropPoint
}

// DropPoint is where in a command's life its connection is lost.
type DropPoint uint8

// Where a [Fault] drops a connection.
const (
	// DropBeforeAnswer: the command was carried out.
	DropBeforeAnswer DropPoint = iota + 1
	// DropInAnswer: within the PDU of the answer, half of which was sent.
	DropInAnswer
	// DropInTransfer: half of the data was sent to the host; or the host has begun
	// to send the data that it was asked for, and the command was not carried out.
	// Without such data it is DropBeforeAnswer.
	DropInTransfer
)

// Injected is a fault that is in force.
type Injected struct {
	target *Target
	active *inject.Active[Fault]
}

// Inject puts a fault in force. Of several that match a command, the one injected
// first strikes.
func (t *Target) Inject(f Fault) *Injected {
	t.mu.Lock()
	defer t.mu.Unlock()
	return &Injected{t, t.faults.Add(f)}
}

// Remove ends the fault. Commands that it has struck stay so.
func (i *Injected) Remove() {
	i.target.mu.Lock()
	defer i.target.mu.Unlock()
	i.target.faults.Remove(i.active)
}

// Struck returns how often the fault has struck.
func (i *Injected) Struck() int {
	i.target.mu.Lock()
	defer i.target.mu.Unlock()
	return i.active.Struck
}

// strike returns what goes wrong with a command: mostly nothing.
func (q *queue) strike(a *association, e *wire.SQE) Fault {
	q.t.mu.Lock()
	defer q.t.mu.Unlock()
	struck := q.t.faults.Strike(func(f *Fault) (bool, int, int) {
		named := f.Any || f.Queue == q.which() && f.Opcode == nvme.Opcode(e.Opcode)
		return named && (f.Controller == 0 || f.Controller == a.id), f.After, f.Count
	})
	if struck == nil {
		return Fault{}
	}
	return struck.Fault
}

// errDropped ends a connection that a fault drops.
var errDropped = errors.New("tcptarget: connection dropped by a fault")

// holdBack waits out a fault's delay, unless the association ends.
func (f *Fault) holdBack(a *association) {
	if f.Delay <= 0 {
		return
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.ctx.Done():
	}
}

// damage is what goes wrong with one PDU.
type damage struct {
	header, data bool // the digest does not match
	cut          bool // the connection is lost in its middle
}

// ofAnswer is what goes wrong with a command's answer, ofData with its data.
func (f *Fault) ofAnswer() damage {
	return damage{header: f.CorruptHeader, cut: f.Drop == DropInAnswer}
}

func (f *Fault) ofData() damage { return damage{data: f.CorruptData, cut: f.Drop == DropInTransfer} }

package nvmetest

import (
	"slices"
	"time"

	"github.com/drivebay/drivebay/nvme"
)

// Controller is a controller of a [Drive], and an in-process nvme.Transport and
// nvme.Operator to it.
type Controller struct {
	drive *Drive
	id    uint16

	readyAt  time.Duration // commands wait until then
	features featureStore
	errors   errorLog
	events   eventQueue
	changed  []uint32 // NSIDs for the Changed Namespace List
	overflow bool     // there are more than fit it
	selfTest selfTestState
	ana      anaState
	pending  []*pending

	hostID      [16]byte // Host Identifier; zero is not set
	notices     []nvme.ReservationNotification
	noticeCount uint64 // of notices that were read
}

func newController(d *Drive, index int) *Controller {
	c := &Controller{drive: d, id: uint16(index + 1)}
	c.features.init(c)
	return c
}

// ID returns the controller's identifier (CNTLID).
func (c *Controller) ID() uint16 { return c.id }

// Drive returns the NVM subsystem that the controller belongs to.
func (c *Controller) Drive() *Drive { return c.drive }

// request is a command in execution.
type request struct {
	c        *Controller
	ns       *Namespace // of NSID, where the command is for one namespace
	cmd      nvme.Command
	begin    time.Duration
	result   uint64
	location uint16 // parameter error location
	lba      uint64 // of the first block in error
	p        *pending
}

// postponed is what a command returns that completes later: no status, as it
// has more than 15 bits.
const postponed nvme.Status = 1 << 15

// pending is a command that is not completed yet.
type pending struct {
	r        request
	fault    *activeFault
	delayed  bool
	due      time.Duration // when it goes on; never, as far as is known, if negative
	finish   func(r *request) nvme.Status
	wake     chan struct{}
	finished bool
	done     nvme.Completion
	err      error
}

const never time.Duration = -1

// begin takes a command in. If p is nil it is completed.
func (c *Controller) begin(cmd *nvme.Command) (done nvme.Completion, p *pending, err error) {
	d := c.drive
	if d.off || d.gone {
		err = errGone(cmd)
		d.journal.add(Entry{Controller: c.id, Begin: d.now, End: d.now, Command: bare(cmd), Err: err,
			DataLen: len(cmd.Data), MetadataLen: len(cmd.Metadata)})
		return nvme.Completion{}, nil, err
	}
	fault := d.strike(cmd)
	if fault == nil && d.now >= c.readyAt {
		r := &d.current
		*r = request{c: c, cmd: *cmd, begin: d.now}
		s := c.execute(r)
		if s != postponed {
			done = c.complete(r, s)
			r.cmd = nvme.Command{} // keep nobody's buffers
			return done, nil, nil
		}
		p = r.p
		p.r = *r
		p.r.p, r.cmd = nil, nvme.Command{}
		return nvme.Completion{}, p, nil
	}
	p = c.postpone()
	p.r = request{c: c, cmd: *cmd, begin: d.now}
	p.fault = fault
	p.run()
	if p.finished {
		return p.done, nil, p.err
	}
	return nvme.Completion{}, p, nil
}

// postpone makes room for a command that completes later.
func (c *Controller) postpone() *pending {
	p := &pending{due: never, wake: make(chan struct{})}
	p.r.c = c
	c.pending = append(c.pending, p)
	return p
}

// until lets the command complete at a later time, with what finish says. finish
// gets the request anew: r is not to be kept.
func (r *request) until(when time.Duration, finish func(r *request) nvme.Status) nvme.Status {
	p := r.p
	if p == nil {
		p = r.c.postpone()
		r.p = p
	}
	p.finish = finish
	p.resumeAt(when)
	return postponed
}

// resumeAt lets run be called at a time.
func (p *pending) resumeAt(when time.Duration) {
	p.due = when
	p.r.c.drive.at(when, p.run)
}

// run carries a pending command one step further.
func (p *pending) run() {
	if p.finished {
		return
	}
	c, f := p.r.c, p.fault
	d := c.drive
	switch {
	case p.finish != nil:
		p.end(p.finish(&p.r))
		return
	case d.now < c.readyAt:
		p.resumeAt(c.readyAt)
		return
	case f == nil:
		p.execute()
		return
	case f.Delay > 0 && !p.delayed:
		p.delayed = true
		p.resumeAt(d.now + f.Delay)
		return
	case f.Hang && !f.released:
		p.due = never
		f.hanging = append(f.hanging, p)
		return
	case f.VanishFirst:
		d.vanish()
		return
	case f.Status != 0:
		p.end(f.Status)
		return
	}
	p.execute()
	if f.Vanish {
		d.vanish()
	}
}

// execute executes the command of a pending one.
func (p *pending) execute() {
	p.due = never
	p.r.p = p
	r := &p.r
	var before []byte
	f := p.fault
	if f != nil && f.Short > 0 {
		before = slices.Clone(r.cmd.Data)
	}
	s := r.c.execute(r)
	p.r.p = nil
	if s == postponed {
		return
	}
	if f != nil && s.Success() && r.cmd.Opcode.Direction() == nvme.FromController {
		if f.Corrupt != nil {
			f.Corrupt(r.cmd.Data)
		}
		if from := f.Short - 1; f.Short > 0 && from < len(r.cmd.Data) {
			copy(r.cmd.Data[from:], before[from:])
		}
	}
	if f != nil && f.Vanish {
		return // carried out, but never answered
	}
	p.end(s)
}

// end completes the command.
func (p *pending) end(s nvme.Status) {
	if !p.finished {
		p.settle(p.r.c.complete(&p.r, s), nil)
	}
}

// fail ends the command without an answer.
func (p *pending) fail(err error) {
	if p.finished {
		return
	}
	d, r := p.r.c.drive, &p.r
	d.journal.add(Entry{Controller: r.c.id, Begin: r.begin, End: d.now, Command: bare(&r.cmd), Err: err,
		DataLen: len(r.cmd.Data), MetadataLen: len(r.cmd.Metadata)})
	p.settle(nvme.Completion{}, err)
}

func (p *pending) settle(done nvme.Completion, err error) {
	c := p.r.c
	p.done, p.err, p.finished = done, err, true
	p.r.cmd.Data, p.r.cmd.Metadata = nil, nil // they are the host's again
	c.pending = slices.DeleteFunc(c.pending, func(q *pending) bool { return q == p })
	c.events.waiting = slices.DeleteFunc(c.events.waiting, func(q *pending) bool { return q == p })
	close(p.wake)
}

// execute carries the command out.
func (c *Controller) execute(r *request) nvme.Status {
	d := c.drive
	if r.cmd.Queue > nvme.IOQueue {
		return invalidOpcode
	}
	k := d.commands[r.cmd.Queue][r.cmd.Opcode]
	if k == nil {
		return invalidOpcode
	}
	if s := k.check(r); s != success {
		return s
	}
	if d.sanitize.phase != sanitizeIdle {
		if s := d.sanitize.forbids(r, k); s != success {
			return s
		}
	}
	return k.run(r)
}

// complete accounts for a command that is done.
func (c *Controller) complete(r *request, s nvme.Status) nvme.Completion {
	d := c.drive
	if !s.Success() {
		s = c.errors.add(c, r, s)
	}
	d.health.count(r, s)
	done := nvme.Completion{Result: r.result, Status: s}
	if d.journal.limit > 0 {
		d.journal.add(Entry{Controller: c.id, Begin: r.begin, End: d.now, Command: bare(&r.cmd),
			DataLen: len(r.cmd.Data), MetadataLen: len(r.cmd.Metadata), Completion: done})
	}
	return done
}

// bare returns the command without its buffers.
func bare(cmd *nvme.Command) nvme.Command {
	c := *cmd
	c.Data, c.Metadata = nil, nil
	return c
}

package nvmetest

import (
	"time"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest/internal/inject"
)

// Fault says which commands go wrong, and how. The zero value of the first
// fields means any; a fault with no effect does nothing but count.
type Fault struct {
	Queue   nvme.Queue
	Opcode  nvme.Opcode
	Any     bool           // any opcode and queue: the two fields above are not looked at
	NSID    uint32         // 0 is any
	LogPage nvme.LogPageID // of Get Log Page: 0 is any
	After   int            // lets so many go by first
	Count   int            // and then strikes so often; 0 is for ever

	// Status answers the command with this, and does not carry it out.
	Status nvme.Status
	// Delay lets so much time of the drive's clock pass first.
	Delay time.Duration
	// Hang lets the command wait until Release, a reset, its timeout on the
	// drive's clock, or the end of its context.
	Hang bool
	// Short transfers no more than Short-1 bytes of data from the drive, and
	// says nothing: 1 transfers none. 0 is all.
	Short int
	// Corrupt alters data that the drive returns, before the host gets it.
	Corrupt func(data []byte)
	// Vanish takes the drive away once the command has been carried out, before
	// it is answered; with VanishFirst, before. Nothing answers any more until
	// [Drive.Return].
	Vanish, VanishFirst bool
}

// Injected is a fault that is in force.
type Injected struct {
	drive  *Drive
	active *inject.Active[activeFault]
}

// activeFault is a fault with the commands that hang by it.
type activeFault struct {
	Fault
	hanging  []*pending
	released bool
}

// Inject puts a fault in force. Of several that match a command, the one
// injected first strikes.
func (d *Drive) Inject(f Fault) *Injected {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Injected{d, d.faults.Add(activeFault{Fault: f})}
}

// Remove ends the fault. Commands that hang by it stay so until Release.
func (i *Injected) Remove() {
	i.drive.mu.Lock()
	defer i.drive.mu.Unlock()
	i.drive.faults.Remove(i.active)
}

// Release lets the commands go on that hang by the fault; what comes later does
// not hang any more.
func (i *Injected) Release() {
	i.drive.mu.Lock()
	defer i.drive.mu.Unlock()
	f := &i.active.Fault
	f.released = true
	hanging := f.hanging
	f.hanging = nil
	for _, p := range hanging {
		p.run()
	}
}

// Struck returns how often the fault has struck.
func (i *Injected) Struck() int {
	i.drive.mu.Lock()
	defer i.drive.mu.Unlock()
	return i.active.Struck
}

// Hanging returns how many commands hang by the fault now.
func (i *Injected) Hanging() int {
	i.drive.mu.Lock()
	defer i.drive.mu.Unlock()
	n := 0
	for _, p := range i.active.Fault.hanging {
		if !p.finished {
			n++
		}
	}
	return n
}

// Return brings back a drive that a fault took away, as after a surprise
// removal: its power was lost.
func (d *Drive) Return() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone {
		d.gone = false
		d.happened(0, "the drive is back")
		_ = d.powerOff(nil) // media that fails has kept what it has
		d.powerOn()
	}
}

// strike returns the fault that strikes the command, or nil.
func (d *Drive) strike(cmd *nvme.Command) *activeFault {
	a := d.faults.Strike(func(f *activeFault) (bool, int, int) { return f.matches(cmd), f.After, f.Count })
	if a == nil {
		return nil
	}
	return &a.Fault
}

func (f *Fault) matches(cmd *nvme.Command) bool {
	switch {
	case !f.Any && (f.Queue != cmd.Queue || f.Opcode != cmd.Opcode):
		return false
	case f.NSID != 0 && f.NSID != cmd.NSID:
		return false
	case f.LogPage != 0:
		return cmd.Queue == nvme.AdminQueue && cmd.Opcode == nvme.AdminGetLogPage &&
			nvme.LogPageID(cmd.CDW10) == f.LogPage
	}
	return true
}

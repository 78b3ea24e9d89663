package tcptarget

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/drivebay/drivebay/nvme/nvmetest"
	"github.com/drivebay/drivebay/nvme/nvmetest/internal/inject"
)

// DefaultNQN is the name of the NVM subsystem of a profile that has none.
const DefaultNQN = "nqn.2014-08.org.nvmexpress:uuid:00000000-0000-4000-8000-4452564241590000"

// Limits of a target.
const (
	queueDepth       = 128       // entries of a queue, at most
	adminInCapsule   = 8192      // bytes of data in a command capsule of an admin queue: fixed by the specification
	defaultInCapsule = 8192      // and of an I/O queue
	defaultH2CData   = 128 << 10 // bytes
	defaultQueues    = 8         // I/O queues
	transferLimit    = 16 << 20  // bytes, of a drive that has no MDTS
	maxConnections   = 256
)

// How long a target waits in real time.
const (
	initTimeout   = time.Minute // for ICReq and Connect
	writeTimeout  = time.Minute
	lingerTimeout = time.Second     // for the host to close after C2HTermReq
	busyTimeout   = 3 * time.Second // for the old association of a host that reconnects
)

// Options say how a target serves a drive. All may be zero.
type Options struct {
	// Address is where to listen, as in net.Listen; "" is "127.0.0.1:0", a free
	// port of the loopback interface. There is no authentication.
	Address string
	// NQN names the NVM subsystem; "" is what the drive's profile says, or else
	// [DefaultNQN]. Drives that a kernel has at a time need names that differ.
	NQN string
	// HostNQN lets one host connect only; "" is any.
	HostNQN string
	// InCapsule is how many bytes of data fit a command capsule of an I/O queue, in
	// units of 16; 0 is 8192, negative is none.
	InCapsule int
	// MaxH2CData is how many bytes a host may send in one PDU, from 4096 on in whole
	// dwords; 0 is 128 KiB.
	MaxH2CData int
	// Queues is how many I/O queues a host may have; 0 is 8, which is also the
	// most.
	Queues int
	// Speed lets the drive's clock follow the wall clock: so many seconds of the
	// drive's in each that passes. 0 leaves the clock to others, and to what
	// commands do to it themselves.
	Speed float64
	// HeaderDigest and DataDigest let [Attach] ask for digests. A target takes what
	// a host asks for.
	HeaderDigest, DataDigest bool
	// KeepAlive is after how long without a sign of life both sides of [Attach] give
	// the other one up; 0 is a minute, which a machine that is busy, or a debugger's
	// breakpoint, does not reach. Whole seconds. A target whose process dies is missed
	// at once.
	KeepAlive time.Duration
	// Reconnect is how long the kernel tries to reach a target again that has
	// gone, before it removes the controller of [Attach]; 0 is 2 s. Whole seconds.
	Reconnect time.Duration
	// ReadyTimeout is how long a host should wait for a controller to become ready
	// (CAP.TO), in units of 500 ms up to 127.5 s; 0 is 30 s. It is no less than the
	// profile's ReadyTime.
	ReadyTimeout time.Duration
	// Logf gets a line for each connection that ends in an error, and each
	// association that begins and ends. It is called from several goroutines,
	// also while the drive is locked: it must not call the drive.
	Logf func(format string, args ...any)
}

// complete fills in what zero means, and refuses what cannot be.
func (o *Options) complete(profile nvmetest.Profile) error {
	setDefault(&o.Address, "127.0.0.1:0")
	setDefault(&o.NQN, profile.Controller.SubsystemNQN)
	setDefault(&o.NQN, DefaultNQN)
	setDefault(&o.InCapsule, defaultInCapsule)
	setDefault(&o.MaxH2CData, defaultH2CData)
	setDefault(&o.Queues, defaultQueues)
	setDefault(&o.KeepAlive, time.Minute)
	setDefault(&o.Reconnect, 2*time.Second)
	setDefault(&o.ReadyTimeout, 30*time.Second)
	if o.InCapsule < 0 {
		o.InCapsule = 0
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	switch {
	case len(o.NQN) > 223 || o.NQN == discoveryNQN:
		return fmt.Errorf("tcptarget: NQN is %q, want up to 223 bytes, and not the discovery service's", o.NQN)
	case o.InCapsule%16 != 0 || o.InCapsule > 1<<20:
		return fmt.Errorf("tcptarget: InCapsule is %d, want a multiple of 16 up to 1 MiB", o.InCapsule)
	case o.MaxH2CData%4 != 0 || o.MaxH2CData < 4096 || o.MaxH2CData > 1<<30:
		return fmt.Errorf("tcptarget: MaxH2CData is %d, want a multiple of 4 from 4096 to 1 GiB", o.MaxH2CData)
	case o.Queues < 1 || o.Queues > defaultQueues:
		return fmt.Errorf("tcptarget: Queues is %d, want 1 to %d", o.Queues, defaultQueues)
	case !(o.Speed >= 0 && o.Speed <= 1e6):
		return fmt.Errorf("tcptarget: Speed is %v, want 0 to 1e6", o.Speed)
	case o.KeepAlive < 0 || o.KeepAlive%time.Second != 0:
		return fmt.Errorf("tcptarget: KeepAlive is %v, want whole seconds", o.KeepAlive)
	case o.Reconnect < 0 || o.Reconnect%time.Second != 0:
		return fmt.Errorf("tcptarget: Reconnect is %v, want whole seconds", o.Reconnect)
	case o.ReadyTimeout < 0 || o.ReadyTimeout%readyUnit != 0 || o.ReadyTimeout > 255*readyUnit:
		return fmt.Errorf("tcptarget: ReadyTimeout is %v, want a multiple of 500 ms up to 127.5 s", o.ReadyTimeout)
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Target serves a drive over NVMe/TCP. [Listen] makes one. Its methods may be
// called from several goroutines.
type Target struct {
	drive    *nvmetest.Drive
	profile  nvmetest.Profile
	o        Options
	listener net.Listener
	wait     sync.WaitGroup
	stop     chan struct{} // closed by Close
	unwatch  func()        // ends what the drive tells of its resets
	hostID   string        // by which the running kernel connects: a UUID

	mu           sync.Mutex
	closed       bool
	queues       map[*queue]struct{}
	associations map[uint16]*association // of the drive's controllers, by identifier
	last         map[string]uint16       // the controller that a host had, by its NQN and identifier
	changed      chan struct{}           // closed and replaced when an association ends, or its host scans
	discovery    uint16                  // the last identifier of a discovery controller
	discoverers  map[*association]struct{}
	generation   uint64 // of the discovery log page
	faults       inject.List[Fault]
}

// Listen begins to serve a drive, which stays the caller's. The drive should be
// used by one target at a time, and not in-process by the same controllers.
func Listen(ctx context.Context, drive *nvmetest.Drive, o Options) (*Target, error) {
	profile := drive.Profile()
	if err := o.complete(profile); err != nil {
		return nil, err
	}
	hostID, err := newUUID()
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("tcptarget: %w", err)
	}
	t := &Target{
		drive: drive, profile: profile, o: o, listener: listener, stop: make(chan struct{}),
		queues: make(map[*queue]struct{}), associations: make(map[uint16]*association),
		last: make(map[string]uint16), changed: make(chan struct{}), hostID: hostID,
		discoverers: make(map[*association]struct{}), generation: 1,
	}
	t.unwatch = drive.OnReset(t.driveReset)
	t.wait.Go(t.accept)
	if o.Speed > 0 {
		t.wait.Go(t.pump)
	}
	return t, nil
}

// Addr returns where the target listens.
func (t *Target) Addr() *net.TCPAddr { return t.listener.Addr().(*net.TCPAddr) }

// NQN returns the name of the NVM subsystem.
func (t *Target) NQN() string { return t.o.NQN }

// Close ends all connections, and stops to listen. The drive stays as it is, but
// for a controller reset where a host was connected. Close may be called again.
func (t *Target) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil
	}
	t.closed = true
	close(t.stop)
	t.mu.Unlock()
	t.unwatch()
	err := t.listener.Close()
	t.Drop()
	t.wait.Wait()
	return err
}

// Drop loses all connections, as a cable that is pulled out. Hosts may connect
// again.
func (t *Target) Drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for q := range t.queues {
		_ = q.conn.Close()
	}
}

// accept serves connections until the listener is closed.
func (t *Target) accept() {
	for {
		conn, err := t.listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				t.o.Logf("tcptarget: %v", err)
			}
			return
		}
		q := newQueue(t, conn)
		t.mu.Lock()
		refuse := t.closed || len(t.queues) >= maxConnections
		if !refuse {
			t.queues[q] = struct{}{}
			t.wait.Go(q.serve)
		}
		t.mu.Unlock()
		if refuse {
			_ = conn.Close()
		}
	}
}

// pump lets the drive's clock follow the wall clock.
func (t *Target) pump() {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	before := time.Now()
	for {
		select {
		case <-t.stop:
			return
		case now := <-ticker.C:
			t.drive.Advance(time.Duration(float64(now.Sub(before)) * t.o.Speed))
			before = now
		}
	}
}

// transferLimit returns how many bytes of data a command may have.
func (t *Target) transferLimit() int {
	if n := t.profile.Controller.MaxTransfer(uint64(t.profile.PageSize)); n != 0 && n < transferLimit {
		return int(n)
	}
	return transferLimit
}

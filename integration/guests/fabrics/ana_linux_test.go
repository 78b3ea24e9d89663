package fabrics

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
	"github.com/drivebay/drivebay/nvme/nvmetest/tcptarget"
)

// twoPaths is a drive that the kernel has by two controllers, which its own multipath
// puts together.
type twoPaths struct {
	*fixture.NVMeDrive
	second *tcptarget.Attached
	io     *directIO // of namespace 1
}

func attachTwice(t *testing.T, changes ...func(*nvmetest.Profile)) *twoPaths {
	t.Helper()
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.TargetOptions(tcptarget.Options{Reconnect: 20 * time.Second}),
		fixture.DriveProfile(nvmetest.Enterprise(), append([]func(*nvmetest.Profile){nvmetest.MultiPath}, changes...)...))
	quiet(t, "nvme")
	second, err := d.Attached.Target.Connect(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, second.Close()) })
	return &twoPaths{d, second, openDirect(t, node(t, d), 0)}
}

// set sets the states of namespace 1's group by both controllers, and waits until the
// kernel knows of them.
func (p *twoPaths) set(t *testing.T, first, second nvme.ANAState) {
	t.Helper()
	p.Emulated.Controller(1).SetANA(1, first)
	p.Emulated.Controller(2).SetANA(1, second)
	require.Eventually(t, func() bool {
		got := p.states(t)
		return got[p.Attached.Name()] == first.String() && got[p.second.Name()] == second.String()
	}, patience, 5*time.Millisecond, "%v %v", first, second)
}

// states returns the kernel's state of namespace 1 by controller.
func (p *twoPaths) states(t *testing.T) map[string]string {
	t.Helper()
	list, err := p.Attached.Namespaces()
	require.NoError(t, err)
	states := make(map[string]string)
	for _, n := range list {
		for _, path := range n.Paths {
			if n.NSID == 1 {
				states[path.Controller] = path.ANAState
			}
		}
	}
	return states
}

// writes counts the Writes that each controller has carried out.
func (p *twoPaths) writes() map[uint16]int {
	n := make(map[uint16]int)
	journal, _ := p.Emulated.Journal()
	for _, e := range journal {
		if e.Command.Queue == nvme.IOQueue && e.Command.Opcode == nvme.IOWrite {
			n[e.Controller]++
		}
	}
	return n
}

// TestANA lets the states of both paths change under a program that reads and writes.
func TestANA(t *testing.T) {
	p := attachTwice(t)
	for i, tc := range []struct {
		first, second nvme.ANAState
		by            []uint16 // the controllers that may get the I/O
	}{
		{nvme.ANAOptimized, nvme.ANAOptimized, []uint16{1, 2}},
		{nvme.ANAOptimized, nvme.ANANonOptimized, []uint16{1}},
		{nvme.ANANonOptimized, nvme.ANAOptimized, []uint16{2}},
		{nvme.ANAInaccessible, nvme.ANANonOptimized, []uint16{2}},
		{nvme.ANANonOptimized, nvme.ANAInaccessible, []uint16{1}},
		{nvme.ANAPersistentLoss, nvme.ANAOptimized, []uint16{2}},
		{nvme.ANANonOptimized, nvme.ANAPersistentLoss, []uint16{1}},
		{nvme.ANAChange, nvme.ANANonOptimized, []uint16{2}},
		{nvme.ANAOptimized, nvme.ANAChange, []uint16{1}},
		{nvme.ANAOptimized, nvme.ANAOptimized, []uint16{1, 2}},
	} {
		t.Run(tc.first.String()+" and "+tc.second.String(), func(t *testing.T) {
			p.set(t, tc.first, tc.second)
			before := p.writes()
			require.NoError(t, p.io.write(byte(i), 0))
			b, err := p.io.read(0)
			require.NoError(t, err)
			require.Equal(t, byte(i), b)
			for id, n := range p.writes() {
				if n > before[id] {
					require.Contains(t, tc.by, id)
				}
			}
		})
	}

	t.Run("lost path", func(t *testing.T) {
		p.Attached.Target.Inject(tcptarget.Fault{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, Controller: 1, Drop: tcptarget.DropBeforeAnswer, Count: 1})
		p.Attached.Target.Inject(tcptarget.Fault{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, Controller: 2, Delay: 10 * time.Millisecond})
		for i := range 4 {
			require.NoError(t, p.io.write(byte(i), 0))
		}
		live(t, p.NVMeDrive)
	})
}

// anaErrors are the states without I/O, and the statuses that tell of them.
var anaErrors = map[nvme.ANAState]nvme.Status{
	nvme.ANAInaccessible: nvme.StatusANAInaccessible, nvme.ANAPersistentLoss: nvme.StatusANAPersistentLoss,
	nvme.ANAChange: nvme.StatusANATransition,
}

// TestANAWithoutAPath has no path that takes I/O: to the kernel even a loss that is
// persistent may end.
func TestANAWithoutAPath(t *testing.T) {
	p := attachTwice(t)
	for first := range anaErrors {
		for second := range anaErrors {
			t.Run(first.String()+" and "+second.String(), func(t *testing.T) {
				p.set(t, first, second)
				before := p.writes()
				done := make(chan error, 1)
				go func() { done <- p.io.write(9, 0) }()
				waits(t, done)
				require.Equal(t, before, p.writes(), "it is not even tried")
				p.Emulated.Controller(2).SetANA(1, nvme.ANANonOptimized)
				require.NoError(t, <-done)
				before[2]++
				require.Equal(t, before, p.writes())
			})
		}
	}
}

// TestANAStatusBeforeTheEvent: the state has changed, and I/O is the first to know.
// The kernel reads the log page, which knows nothing of it, and tries again.
func TestANAStatusBeforeTheEvent(t *testing.T) {
	p := attachTwice(t)
	for state, status := range anaErrors {
		t.Run(state.String(), func(t *testing.T) {
			fault := p.Emulated.Inject(nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, Status: status, Count: 10})
			require.NoError(t, p.io.write(10, 0), "more often than I/O is retried otherwise")
			require.Equal(t, 10, fault.Struck())
			fault.Remove()
			fault = p.Emulated.Inject(nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, Status: status.WithDNR(), Count: 1})
			require.ErrorIs(t, p.io.write(10, 0), unix.EIO, "with DNR it is not sent again")
			require.Equal(t, 1, fault.Struck())
			fault.Remove()
		})
	}
}

// TestANAChangeLasts: the kernel waits for the end of a change twice as long as the
// drive says that one takes (ANATT), and resets the controller: each time anew.
func TestANAChangeLasts(t *testing.T) {
	p := attachTwice(t, func(p *nvmetest.Profile) { p.Controller.ANATransitionTime = 1 })
	says, u := kernelSays(t), of(t, p.NVMeDrive)
	p.set(t, nvme.ANAChange, nvme.ANAOptimized)
	for range 2 {
		u.wait(t, "NVME_EVENT=connected")
		require.NoError(t, p.io.write(1, 0), "by the other path")
	}
	p.set(t, nvme.ANAOptimized, nvme.ANAOptimized)
	live(t, p.NVMeDrive)
	require.Positive(t, strings.Count(says(), "ANATT timeout, resetting controller"))
}

// TestANAFromTheBeginning connects to a drive that is not to be reached yet: there is
// no block device before it is.
func TestANAFromTheBeginning(t *testing.T) {
	fixture.RequireKernelNVMe(t)
	quiet(t, "nvme")
	for state := range anaErrors {
		t.Run(state.String(), func(t *testing.T) {
			drive, err := nvmetest.New(nvmetest.Enterprise(), nvmetest.MultiPath, func(p *nvmetest.Profile) { p.Namespaces[1].ANAGroup = 2 })
			require.NoError(t, err)
			drive.Controller(1).SetANA(1, state)
			a, err := tcptarget.Attach(t.Context(), drive, tcptarget.Options{})
			require.NoError(t, err)
			defer func() { require.NoError(t, a.Close()) }()
			_, err = a.NamespaceNode(1)
			require.Error(t, err)
			_, err = a.NamespaceNode(2)
			require.NoError(t, err)
			drive.Controller(1).SetANA(1, nvme.ANAOptimized)
			require.Eventually(t, func() bool { _, err := a.NamespaceNode(1); return err == nil }, patience, 5*time.Millisecond)
		})
	}
}

// TestReservationOnBothPaths: a host is the same by both paths, so that a reservation
// which it has made by one lets it write by the other.
func TestReservationOnBothPaths(t *testing.T) {
	p := attachTwice(t)
	device := node(t, p.NVMeDrive)
	for _, args := range [][]string{{"resv-register", device, "-n1", "-k0x1234", "-r0"}, {"resv-acquire", device, "-n1", "-c0x1234", "-t1", "-a0"}} {
		out, err := cli(t, args...)
		require.NoError(t, err, "%v\n%s", args, out)
	}
	before := p.writes()
	p.set(t, nvme.ANAOptimized, nvme.ANAInaccessible)
	require.NoError(t, p.io.write(1, 0))
	p.set(t, nvme.ANAInaccessible, nvme.ANAOptimized)
	require.NoError(t, p.io.write(2, 0))
	before[1]++
	before[2]++
	require.Equal(t, before, p.writes())
}

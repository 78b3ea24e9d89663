package fabrics

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
	"github.com/drivebay/drivebay/nvme/nvmetest/tcptarget"
)

// TestANA has a drive by two paths, and lets the states of both change under a
// program that reads and writes. Linux's own multipath puts them together.
func TestANA(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Enterprise(), nvmetest.MultiPath),
		fixture.TargetOptions(tcptarget.Options{Reconnect: 20 * time.Second}))
	quiet(t, "nvme", "block device autoloading") // the latter: a head without paths
	second, err := d.Attached.Target.Connect(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, second.Close()) })
	one, two := d.Emulated.Controller(1), d.Emulated.Controller(2)
	set := func(t *testing.T, first, other nvme.ANAState) {
		one.SetANA(1, first)
		two.SetANA(1, other)
		require.Eventually(t, func() bool {
			got := anaStates(t, d)
			return got[d.Attached.Name()] == first.String() && got[second.Name()] == other.String()
		}, 20*time.Second, 5*time.Millisecond, "%v %v", first, other)
	}
	io := openDirect(t, node(t, d), 0)
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
		{nvme.ANAOptimized, nvme.ANAPersistentLoss, []uint16{1}},
	} {
		t.Run(tc.first.String()+" and "+tc.second.String(), func(t *testing.T) {
			set(t, tc.first, tc.second)
			before := writes(d)
			require.NoError(t, io.write(byte(i), 0))
			b, err := io.read(0)
			require.NoError(t, err)
			require.Equal(t, byte(i), b)
			after := writes(d)
			for id := uint16(1); id <= 2; id++ {
				if after[id] > before[id] {
					require.Contains(t, tc.by, id)
				}
			}
		})
	}

	t.Run("no path", func(t *testing.T) {
		set(t, nvme.ANAInaccessible, nvme.ANAInaccessible)
		done := make(chan error, 1)
		go func() { done <- io.write(9, 0) }()
		select {
		case err := <-done:
			t.Fatalf("a write without a path ends: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		two.SetANA(1, nvme.ANAOptimized)
		require.NoError(t, <-done, "it waits for a path")
	})
	t.Run("change", func(t *testing.T) {
		set(t, nvme.ANAOptimized, nvme.ANAChange)
		require.NoError(t, io.write(9, 0))
		set(t, nvme.ANAOptimized, nvme.ANAOptimized)
	})
	t.Run("status before the event", func(t *testing.T) {
		// The state has changed, and I/O is the first to know.
		fault := d.Emulated.Inject(nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, Status: nvme.StatusANAInaccessible, Count: 1})
		require.NoError(t, io.write(10, 0))
		require.Equal(t, 1, fault.Struck())
	})
	t.Run("lost path", func(t *testing.T) {
		d.Attached.Target.Inject(tcptarget.Fault{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, Controller: 1, Drop: tcptarget.DropBeforeAnswer, Count: 1})
		d.Attached.Target.Inject(tcptarget.Fault{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, Controller: 2, Delay: 10 * time.Millisecond})
		for i := range 4 {
			require.NoError(t, io.write(byte(i), 0))
		}
		live(t, d)
	})
}

// anaStates returns the kernel's state of namespace 1 by controller.
func anaStates(t *testing.T, d *fixture.NVMeDrive) map[string]string {
	t.Helper()
	list, err := d.Attached.Namespaces()
	require.NoError(t, err)
	states := make(map[string]string)
	for _, n := range list {
		for _, p := range n.Paths {
			if n.NSID == 1 {
				states[p.Controller] = p.ANAState
			}
		}
	}
	return states
}

// writes counts the Writes that controllers have carried out.
func writes(d *fixture.NVMeDrive) map[uint16]int {
	n := make(map[uint16]int)
	journal, _ := d.Emulated.Journal()
	for _, e := range journal {
		if e.Command.Queue == nvme.IOQueue && e.Command.Opcode == nvme.IOWrite {
			n[e.Controller]++
		}
	}
	return n
}

// TestDiscoveryIsToldOfChanges keeps a connection to the discovery service: nvme-cli
// leaves it behind, and the kernel tells of events.
func TestDiscoveryIsToldOfChanges(t *testing.T) {
	fixture.RequireKernelNVMe(t)
	drive, err := nvmetest.New(nvmetest.Consumer())
	require.NoError(t, err)
	target, err := tcptarget.Listen(t.Context(), drive, tcptarget.Options{NQN: "nqn.2014-08.org.nvmexpress:drivebay-changing"})
	require.NoError(t, err)
	defer target.Close()
	quiet(t, "nvme")
	name := connectDiscovery(t, target)
	u := listen(t, name)
	drive.PowerOff()
	u.wait(t, aen(0x70f002))
	require.Contains(t, discoveryPage(t, name, target), "Number of Records 0")
	// NB: libnvme 1.3 ends with RAE set where the page is empty, so that there would
	// be no more events.
	c, err := nvme.Open(t.Context(), "/dev/"+name)
	require.NoError(t, err)
	defer c.Close()
	log := make([]byte, 1024)
	_, err = c.Do(t.Context(), nvme.Command{Opcode: nvme.AdminGetLogPage, CDW10: 255<<16 | uint32(nvme.LogDiscovery), Data: log})
	require.NoError(t, err)
	require.Zero(t, binary.LittleEndian.Uint64(log[8:]), "NUMREC")
	drive.PowerOn()
	u.wait(t, aen(0x70f002))
	require.Contains(t, discoveryPage(t, name, target), target.NQN())
	require.NoError(t, os.WriteFile("/sys/class/nvme/"+name+"/delete_controller", []byte("1"), 0))
}

// connectDiscovery leaves a connection to the discovery service, and returns the
// kernel's name of it.
func connectDiscovery(t *testing.T, target *tcptarget.Target) string {
	t.Helper()
	out, err := cli(t, "discover", "-p", "-t", "tcp", "-a", "127.0.0.1", "-s", strconv.Itoa(target.Addr().Port),
		"--hostnqn="+hostNQN, "--hostid=11111111-2222-4333-8444-555555555555", "--keep-alive-tmo=5")
	require.NoError(t, err, "%s", out)
	controllers, err := filepath.Glob("/sys/class/nvme/nvme*/subsysnqn")
	require.NoError(t, err)
	for _, path := range controllers {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		if strings.TrimSpace(string(b)) == "nqn.2014-08.org.nvmexpress.discovery" {
			return filepath.Base(filepath.Dir(path))
		}
	}
	t.Fatalf("nvme discover -p has left no controller: %s", out)
	return ""
}

// discoveryPage returns what nvme-cli prints of the log page by a connection that
// there is.
func discoveryPage(t *testing.T, name string, target *tcptarget.Target) string {
	t.Helper()
	out, err := cli(t, "discover", "-d", name, "-t", "tcp", "-a", "127.0.0.1", "-s", strconv.Itoa(target.Addr().Port),
		"--hostnqn="+hostNQN, "--hostid=11111111-2222-4333-8444-555555555555")
	require.NoError(t, err, "%s", out)
	return out
}

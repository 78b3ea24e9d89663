package fabrics

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
	"github.com/drivebay/drivebay/nvme/nvmetest/tcptarget"
)

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

package drives

import (
	"cmp"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
)

// pair opens the controllers of the NVM subsystem whose serial number the
// environment variable DRIVEBAY_DRIVE_SHARED says: two, which share namespace 1,
// and may share 2.
func pair(t *testing.T) (serial string, controllers []*nvme.Controller, paths []string) {
	t.Helper()
	serial = os.Getenv("DRIVEBAY_DRIVE_SHARED")
	if serial == "" {
		t.Skip("DRIVEBAY_DRIVE_SHARED names no drive")
	}
	fixture.RequireRoot(t)
	s := subsystem(t, serial)
	require.Len(t, s.Controllers, 2)
	for _, info := range s.Controllers {
		c, err := nvme.Open(t.Context(), info.Node)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		id, err := c.Identify(t.Context())
		require.NoError(t, err)
		require.Equal(t, info.ID, id.ControllerID)
		controllers, paths = append(controllers, c), append(paths, info.Node)
	}
	return serial, controllers, paths
}

func subsystem(t *testing.T, serial string) *nvme.SubsystemInfo {
	t.Helper()
	inventory, err := nvme.Discover()
	require.NoError(t, err)
	s, err := inventory.BySerial(serial)
	require.NoError(t, err)
	return s
}

// waitNamespaces waits until the kernel has block devices for just these namespaces.
func waitNamespaces(t *testing.T, serial string, want ...uint32) {
	t.Helper()
	var got []uint32
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		got = nil
		for _, n := range subsystem(t, serial).Namespaces {
			got = append(got, n.NSID)
		}
		if slices.Equal(want, got) {
			return
		}
	}
	t.Fatalf("the kernel has the namespaces %v, want %v", got, want)
}

// requireLists wants the lists of each controller to be nvme-cli's.
func requireLists(t *testing.T, c *nvme.Controller, path string) {
	t.Helper()
	ids := func(list any, of, member string) (all []string) {
		for entry := range objects(list.(map[string]any)[of]) {
			all = append(all, fmt.Sprint(entry[member]))
		}
		return all
	}
	active, err := c.ActiveNamespaces(t.Context())
	require.NoError(t, err)
	require.Equal(t, ids(cli(t, "list-ns", path), "nsid_list", "nsid"), texts(active))
	allocated, err := c.AllocatedNamespaces(t.Context())
	require.NoError(t, err)
	require.Equal(t, ids(cli(t, "list-ns", path, "-a"), "nsid_list", "nsid"), texts(allocated))
	all, err := c.Controllers(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, ids(cli(t, "list-ctrl", path), "ctrl_list", "ctrl_id"), texts(all))
	for _, nsid := range allocated {
		attached, err := c.AttachedControllers(t.Context(), nsid, 0)
		require.NoError(t, err)
		require.Equal(t, ids(cli(t, "list-ctrl", path, "-n", fmt.Sprint(nsid)), "ctrl_list", "ctrl_id"), texts(attached))
		ns, err := c.IdentifyAllocated(t.Context(), nsid)
		require.NoError(t, err)
		requireSame(t, ns, cli(t, "id-ns", path, "-n", fmt.Sprint(nsid), "--force"))
	}
}

func texts[T uint16 | uint32](list []T) (all []string) {
	for _, id := range list {
		all = append(all, fmt.Sprint(id))
	}
	return all
}

// Namespace 2 is attached to both controllers and detached again: by us, seen by
// nvme-cli and by the kernel, and by nvme-cli, seen by us.
func TestAttachNamespace(t *testing.T) {
	serial, controllers, paths := pair(t)
	ctx := t.Context()
	c := controllers[0]
	both := []uint16{0, 1}
	require.NoError(t, c.AttachNamespace(ctx, 2, both...))
	for i := range controllers {
		requireLists(t, controllers[i], paths[i])
	}
	for _, c := range controllers {
		require.NoError(t, c.Rescan(ctx))
	}
	waitNamespaces(t, serial, 1, 2)
	require.Len(t, subsystem(t, serial).Namespaces[1].Paths, 2)

	_, theirs := run(t, "attach-ns", paths[0], "-n", "2", "-c", "0")
	ours := cause(t, c.AttachNamespace(ctx, 2, 0))
	require.Equal(t, theirs, ours)
	require.ErrorIs(t, ours, nvme.StatusAlreadyAttached)

	require.NoError(t, c.DetachNamespace(ctx, 2, 1))
	requireLists(t, controllers[1], paths[1])
	_, theirs = run(t, "detach-ns", paths[0], "-n", "2", "-c", "1")
	ours = cause(t, c.DetachNamespace(ctx, 2, 1))
	require.Equal(t, theirs, ours)
	require.ErrorIs(t, ours, nvme.StatusNotAttached)
	_, theirs = run(t, "attach-ns", paths[0], "-n", "2", "-c", "7")
	ours = cause(t, c.AttachNamespace(ctx, 2, 7))
	require.Equal(t, theirs, ours)
	require.ErrorIs(t, ours, nvme.StatusInvalidControllerList)

	_, theirs = run(t, "detach-ns", paths[0], "-n", "2", "-c", "0")
	require.NoError(t, theirs)
	requireLists(t, c, paths[0])
	for _, c := range controllers {
		require.NoError(t, c.Rescan(ctx))
	}
	waitNamespaces(t, serial, 1)
}

// Namespaces are neither created nor deleted: QEMU says that it has the command,
// and refuses it.
func TestCreateNamespaceIsRefused(t *testing.T) {
	_, controllers, paths := pair(t)
	c := controllers[0]
	id, err := c.Identify(t.Context())
	require.NoError(t, err)
	require.NotZero(t, id.AdminCommands&nvme.SupportsNamespaceManagement)
	_, err = c.CreateNamespace(t.Context(), nvme.NamespaceOptions{Size: 100})
	_, theirs := run(t, "create-ns", paths[0], "-s", "100", "-c", "100", "-f", "0")
	require.Equal(t, theirs, cause(t, err))
	require.ErrorIs(t, err, nvme.StatusInvalidOpcode)
	err = c.DeleteNamespace(t.Context(), 2)
	_, theirs = run(t, "delete-ns", paths[0], "-n", "2")
	require.Equal(t, theirs, cause(t, err))
	require.ErrorIs(t, err, nvme.StatusInvalidOpcode)
}

// What Discover makes of sysfs is what nvme-cli makes of it.
func TestDiscover(t *testing.T) {
	drive(t) // nvme-cli fails where there is none
	inventory, err := nvme.Discover()
	require.NoError(t, err)
	found := 0
	for d := range objects(cli(t, "list", "-v").(map[string]any)["Devices"]) {
		for their := range objects(d["Subsystems"]) {
			requireSubsystem(t, inventory, their)
			found++
		}
	}
	require.Len(t, inventory, found)
}

func requireSubsystem(t *testing.T, inventory nvme.Inventory, their map[string]any) {
	t.Helper()
	i := slices.IndexFunc(inventory, func(s nvme.SubsystemInfo) bool { return s.Name == their["Subsystem"] })
	require.GreaterOrEqual(t, i, 0, "%v", their["Subsystem"])
	s := inventory[i]
	require.Equal(t, their["SubsystemNQN"], s.NQN)
	var ours, theirs []string
	for _, c := range s.Controllers {
		ours = append(ours, fmt.Sprintln(c.Name, c.Serial, c.Model, c.Firmware, c.Transport, c.Address))
	}
	for _, n := range s.Namespaces {
		ours = append(ours, fmt.Sprintln(n.Name, n.NSID, n.BlockSize, n.Size))
		for _, p := range n.Paths {
			if p.Name != "" {
				// Of a drive without ANA nvme-cli says that, too.
				ours = append(ours, fmt.Sprintln(p.Controller, p.Name, cmp.Or(p.ANAState, "optimized")))
			}
		}
	}
	addNamespaces := func(list any) {
		for n := range objects(list) {
			theirs = append(theirs, fmt.Sprintln(n["NameSpace"], n["NSID"], n["SectorSize"], n["PhysicalSize"]))
		}
	}
	addNamespaces(their["Namespaces"])
	for c := range objects(their["Controllers"]) {
		trim := func(name string) string { return strings.TrimSpace(fmt.Sprint(c[name])) }
		theirs = append(theirs, fmt.Sprintln(c["Controller"], trim("SerialNumber"), trim("ModelNumber"), trim("Firmware"), c["Transport"], c["Address"]))
		addNamespaces(c["Namespaces"])
		for p := range objects(c["Paths"]) {
			theirs = append(theirs, fmt.Sprintln(c["Controller"], p["Path"], p["ANAState"]))
		}
	}
	require.ElementsMatch(t, theirs, ours)
}

// objects yields the members of a JSON array.
func objects(v any) iter.Seq[map[string]any] {
	return func(yield func(map[string]any) bool) {
		list, _ := v.([]any)
		for _, o := range list {
			if !yield(o.(map[string]any)) {
				return
			}
		}
	}
}

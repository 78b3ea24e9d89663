package nvme

import (
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// sysfs returns a tree from lines of a path and its content.
func sysfs(t *testing.T, lines string) fstest.MapFS {
	t.Helper()
	tree := fstest.MapFS{}
	for line := range strings.Lines(lines) {
		if name, content, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			tree[name] = &fstest.MapFile{Data: []byte(content + "\n"), Mode: 0o444}
		}
	}
	return tree
}

// A drive with one controller, on a kernel with multipath that is not used: NSID
// 4 is nvme0n3, and it has a partition that a device mapper holds.
const sysfsPlain = `
class/nvme-subsystem/nvme-subsys0/subsysnqn nqn.2014.08.org.nvmexpress:1b361af4DRIVE1
class/nvme-subsystem/nvme-subsys0/model Drive One
class/nvme-subsystem/nvme-subsys0/serial DRIVE1
class/nvme-subsystem/nvme-subsys0/iopolicy numa
class/nvme-subsystem/nvme-subsys0/nvme0/uevent x
class/nvme/nvme0/cntlid 0
class/nvme/nvme0/model Drive One
class/nvme/nvme0/serial DRIVE1
class/nvme/nvme0/firmware_rev 1.0
class/nvme/nvme0/state live
class/nvme/nvme0/transport pcie
class/nvme/nvme0/address 0000:01:00.0
class/nvme/nvme0/numa_node -1
class/nvme/nvme0/hwmon1/name nvme
class/nvme/nvme0/nvme0n1/nsid 1
class/nvme/nvme0/nvme0n1/wwid eui.0025388b710116a1
class/nvme/nvme0/nvme0n1/eui 00 25 38 8b 71 01 16 a1
class/nvme/nvme0/nvme0n1/dev 259:0
class/nvme/nvme0/nvme0n1/size 1000215216
class/nvme/nvme0/nvme0n1/queue/logical_block_size 512
class/nvme/nvme0/nvme0n3/nsid 4
class/nvme/nvme0/nvme0n3/wwid uuid.6a9fd4d1-1b9a-4a6a-9e66-3a0b5f1c2d3e
class/nvme/nvme0/nvme0n3/uuid 6a9fd4d1-1b9a-4a6a-9e66-3a0b5f1c2d3e
class/nvme/nvme0/nvme0n3/nguid 00000000-0000-0000-0025-388b710116a4
class/nvme/nvme0/nvme0n3/dev 259:1
class/nvme/nvme0/nvme0n3/size 8192
class/nvme/nvme0/nvme0n3/queue/logical_block_size 4096
class/nvme/nvme0/nvme0n3/nvme0n3p1/dev 259:2
class/nvme/nvme0/nvme0n3/nvme0n3p1/holders/dm-0/uevent x
class/nvme-generic/ng0n1/uevent x
class/nvme/nvme0/ng0n3/uevent x
`

// Two paths to one namespace, over TCP.
const sysfsMultipath = `
class/nvme-subsystem/nvme-subsys10/subsysnqn nqn.2026-01.org.example:array
class/nvme-subsystem/nvme-subsys10/model Array
class/nvme-subsystem/nvme-subsys10/serial ARRAY
class/nvme-subsystem/nvme-subsys10/iopolicy round-robin
class/nvme-subsystem/nvme-subsys10/nvme10/uevent x
class/nvme-subsystem/nvme-subsys10/nvme9/uevent x
class/nvme-subsystem/nvme-subsys10/nvme10n1/nsid 7
class/nvme-subsystem/nvme-subsys10/nvme10n1/wwid uuid.1
class/nvme-subsystem/nvme-subsys10/nvme10n1/dev 259:9
class/nvme-subsystem/nvme-subsys10/nvme10n1/size 2048
class/nvme-subsystem/nvme-subsys10/nvme10n1/queue/logical_block_size 512
class/nvme-subsystem/nvme-subsys10/ng10n1/uevent x
class/nvme/nvme9/cntlid 1
class/nvme/nvme9/state live
class/nvme/nvme9/transport tcp
class/nvme/nvme9/address traddr=10.0.0.1,trsvcid=4420
class/nvme/nvme9/nvme10c9n1/nsid 7
class/nvme/nvme9/nvme10c9n1/wwid uuid.1
class/nvme/nvme9/nvme10c9n1/ana_state optimized
class/nvme/nvme10/cntlid 2
class/nvme/nvme10/state connecting
class/nvme/nvme10/transport tcp
class/nvme/nvme10/address traddr=10.0.0.2,trsvcid=4420
class/nvme/nvme10/nvme10c10n1/nsid 7
class/nvme/nvme10/nvme10c10n1/wwid uuid.1
class/nvme/nvme10/nvme10c10n1/ana_state inaccessible
`

// A kernel older than NVM subsystems in sysfs.
const sysfsOld = `
class/nvme/nvme0/model Old
class/nvme/nvme0/serial OLD
class/nvme/nvme0/firmware_rev 0.9
class/nvme/nvme0/nvme0n1/nsid 1
class/nvme/nvme0/nvme0n1/wwid nvme.1
class/nvme/nvme0/nvme0n1/dev 259:0
class/nvme/nvme0/nvme0n1/size 8
class/nvme/nvme0/nvme0n1/queue/logical_block_size 512
`

func TestDiscover(t *testing.T) {
	for _, test := range []struct {
		name, tree string
		want       Inventory
	}{
		{"nothing", "", nil},
		{"plain", sysfsPlain, Inventory{{
			Name: "nvme-subsys0", NQN: "nqn.2014.08.org.nvmexpress:1b361af4DRIVE1", Model: "Drive One", Serial: "DRIVE1", IOPolicy: "numa",
			Controllers: []ControllerInfo{{Name: "nvme0", Node: "/dev/nvme0", Model: "Drive One", Serial: "DRIVE1", Firmware: "1.0",
				State: "live", Transport: "pcie", Address: "0000:01:00.0", NUMANode: -1}},
			Namespaces: []NamespaceInfo{
				{Name: "nvme0n1", Node: "/dev/nvme0n1", GenericNode: "/dev/ng0n1", NSID: 1, WWID: "eui.0025388b710116a1",
					EUI64: "0025388b710116a1", Device: "259:0", Size: 512_110_190_592, BlockSize: 512, Paths: []PathInfo{{Controller: "nvme0"}}},
				{Name: "nvme0n3", Node: "/dev/nvme0n3", GenericNode: "/dev/ng0n3", NSID: 4,
					WWID: "uuid.6a9fd4d1-1b9a-4a6a-9e66-3a0b5f1c2d3e", UUID: "6a9fd4d1-1b9a-4a6a-9e66-3a0b5f1c2d3e",
					NGUID: "00000000-0000-0000-0025-388b710116a4", Device: "259:1", Size: 4 << 20, BlockSize: 4096,
					Partitions: []PartitionInfo{{Name: "nvme0n3p1", Device: "259:2", Holders: []string{"dm-0"}}},
					Paths:      []PathInfo{{Controller: "nvme0"}}},
			},
		}}},
		{"multipath", sysfsMultipath, Inventory{{
			Name: "nvme-subsys10", NQN: "nqn.2026-01.org.example:array", Model: "Array", Serial: "ARRAY", IOPolicy: "round-robin",
			Controllers: []ControllerInfo{
				{Name: "nvme9", Node: "/dev/nvme9", ID: 1, State: "live", Transport: "tcp", Address: "traddr=10.0.0.1,trsvcid=4420", NUMANode: -1},
				{Name: "nvme10", Node: "/dev/nvme10", ID: 2, State: "connecting", Transport: "tcp", Address: "traddr=10.0.0.2,trsvcid=4420", NUMANode: -1},
			},
			Namespaces: []NamespaceInfo{{Name: "nvme10n1", Node: "/dev/nvme10n1", GenericNode: "/dev/ng10n1", NSID: 7, WWID: "uuid.1",
				Device: "259:9", Size: 1 << 20, BlockSize: 512, Paths: []PathInfo{
					{Name: "nvme10c9n1", Controller: "nvme9", ANAState: "optimized"},
					{Name: "nvme10c10n1", Controller: "nvme10", ANAState: "inaccessible"}}}},
		}}},
		{"old kernel", sysfsOld, Inventory{{
			Model: "Old", Serial: "OLD",
			Controllers: []ControllerInfo{{Name: "nvme0", Node: "/dev/nvme0", Model: "Old", Serial: "OLD", Firmware: "0.9", NUMANode: -1}},
			Namespaces: []NamespaceInfo{{Name: "nvme0n1", Node: "/dev/nvme0n1", NSID: 1, WWID: "nvme.1", Device: "259:0",
				Size: 4096, BlockSize: 512, Paths: []PathInfo{{Controller: "nvme0"}}}},
		}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := DiscoverIn(sysfs(t, test.tree))
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestInventoryFindsBySerialAndNSID(t *testing.T) {
	inv, err := DiscoverIn(sysfs(t, sysfsPlain+sysfsMultipath))
	require.NoError(t, err)
	require.Len(t, inv.Controllers(), 3)
	require.Len(t, inv.Namespaces(), 3)
	s, err := inv.BySerial("DRIVE1")
	require.NoError(t, err)
	require.Equal(t, "0000:01:00.0", s.Controllers[0].PCIAddress())
	ns, err := s.Namespace(4)
	require.NoError(t, err)
	require.Equal(t, "/dev/nvme0n3", ns.Node, "not nvme0n4")
	_, err = s.Namespace(3)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = inv.BySerial("DRIVE")
	require.ErrorIs(t, err, fs.ErrNotExist)
	inv = append(inv, inv[0])
	_, err = inv.BySerial("DRIVE1")
	require.EqualError(t, err, `nvme: serial number "DRIVE1": both nvme-subsys0 and nvme-subsys0 have it`)
	require.Empty(t, inv[1].Controllers[0].PCIAddress())
}

func TestUsersOfANamespace(t *testing.T) {
	inv, err := DiscoverIn(sysfs(t, sysfsPlain))
	require.NoError(t, err)
	const mounts = `25 1 259:2 / /srv rw,relatime shared:1 - ext4 /dev/nvme0n3p1 rw
26 1 259:20 / /home rw - ext4 /dev/sda1 rw
27 1 259:2 /sub /mnt\040x rw - ext4 /dev/nvme0n3p1 rw`
	const swaps = "Filename Type Size Used Priority\n/dev/nvme0n1 partition 1024 0 -2\n"
	require.Equal(t, []string{"nvme0n3p1 is mounted on /srv", `nvme0n3p1 is mounted on /mnt\040x`, "nvme0n3p1 is held by dm-0"},
		inv[0].Namespaces[1].usersOf(mounts, swaps))
	require.Equal(t, []string{"nvme0n1 is swapped to"}, inv[0].Namespaces[0].usersOf(mounts, swaps))
}

// failing is a tree in which one file cannot be read.
type failing struct {
	fs.FS
	name string
	err  error
}

func (f failing) Open(name string) (fs.File, error) {
	if name == f.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: f.err}
	}
	return f.FS.Open(name)
}

func TestDiscoverMeetsErrors(t *testing.T) {
	tree := sysfs(t, sysfsPlain)
	_, err := DiscoverIn(failing{tree, "class/nvme/nvme0/state", os.ErrPermission})
	require.ErrorIs(t, err, os.ErrPermission)
	inv, err := DiscoverIn(failing{tree, "class/nvme/nvme0/state", fs.ErrNotExist})
	require.NoError(t, err, "a device that goes away")
	require.Empty(t, inv[0].Controllers[0].State)
	tree["class/nvme/nvme0/cntlid"].Data = []byte("many")
	_, err = DiscoverIn(tree)
	require.ErrorContains(t, err, "nvme: discover: class/nvme/nvme0/cntlid")
	if isGone(syscall.ENODEV) {
		_, err = DiscoverIn(failing{sysfs(t, sysfsPlain), "class/nvme/nvme0/nvme0n1/nsid", syscall.ENODEV})
		require.NoError(t, err)
	}
}

package nvme

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the kernel says of QEMU's drives, as testdata/sysfs/capture.sh keeps it: a
// drive of its own, and two controllers of one NVM subsystem that share namespace 1.
// TestDiscover in integration/guests/drives compares the same with nvme-cli's list.
func TestDiscoverOnCapturedTrees(t *testing.T) {
	for _, test := range []struct {
		kernel string
		want   Inventory
	}{
		// NB: a namespace has the number of the subsystem, which need not be that of a
		// controller, nor of the same in the next boot.
		{"6.1", Inventory{plainDrive("259:4"), pairOfControllers("2", "259:2")}},
		{"6.12", Inventory{plainDrive("259:3"), pairOfControllers("1", "259:2")}},
	} {
		t.Run(test.kernel, func(t *testing.T) {
			tree, err := os.ReadFile("testdata/sysfs/" + test.kernel + ".txt")
			require.NoError(t, err)
			got, err := DiscoverIn(sysfs(t, string(tree)))
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

// qemuController is what the controllers have in common.
func qemuController(name, serial, address string, id uint16) ControllerInfo {
	return ControllerInfo{
		Name: name, Node: "/dev/" + name, ID: id, Model: "QEMU NVMe Ctrl", Serial: serial, Firmware: "7.2.22",
		State: "live", Transport: "pcie", Address: address, NUMANode: -1,
	}
}

func plainDrive(device string) SubsystemInfo {
	return SubsystemInfo{
		Name: "nvme-subsys0", NQN: "nqn.2019-08.org.qemu:nvme0-subsystem", Model: "QEMU NVMe Ctrl", Serial: "plain", IOPolicy: "numa",
		Controllers: []ControllerInfo{qemuController("nvme0", "plain", "0000:00:01.0", 0)},
		Namespaces: []NamespaceInfo{{
			Name: "nvme0n1", Node: "/dev/nvme0n1", GenericNode: "/dev/ng0n1", NSID: 1, Device: device, Size: 16 << 20, BlockSize: 4096,
			WWID:  "nvme.1b36-706c61696e-51454d55204e564d65204374726c-00000001",
			Paths: []PathInfo{{Name: "nvme0c0n1", Controller: "nvme0"}},
		}},
	}
}

func pairOfControllers(number, device string) SubsystemInfo {
	return SubsystemInfo{
		Name: "nvme-subsys" + number, NQN: "nqn.2019-08.org.qemu:pair", Model: "QEMU NVMe Ctrl", Serial: "pair", IOPolicy: "numa",
		Controllers: []ControllerInfo{
			qemuController("nvme1", "pair", "0000:00:02.0", 0), qemuController("nvme2", "pair", "0000:00:03.0", 1),
		},
		Namespaces: []NamespaceInfo{{
			Name: "nvme" + number + "n1", Node: "/dev/nvme" + number + "n1", GenericNode: "/dev/ng" + number + "n1",
			NSID: 1, Device: device, Size: 16 << 20, BlockSize: 512,
			WWID: "nvme.1b36-70616972-51454d55204e564d65204374726c-00000001",
			Paths: []PathInfo{
				{Name: "nvme" + number + "c1n1", Controller: "nvme1"}, {Name: "nvme" + number + "c2n1", Controller: "nvme2"},
			},
		}},
	}
}

package nvme

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Discover returns the drives that the kernel knows, from /sys. It sends no
// command, and needs no privileges.
func Discover() (Inventory, error) { return DiscoverIn(os.DirFS("/sys")) }

func isGone(err error) bool { return errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) }

// NamespaceUsers returns who uses the block device of a namespace of the node's
// controller: what mounts it or one of its partitions, swaps to it, or holds it,
// such as a device mapper or a RAID. It looks at the mounts of this process, and
// then asks the kernel by an exclusive open, which also knows those of others.
func (n *Node) NamespaceUsers(nsid uint32) ([]string, error) {
	s, err := n.subsystem()
	if err != nil {
		return nil, err
	}
	ns, err := s.Namespace(nsid)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // it has no block device
	}
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("nvme: %w", err)
	}
	swaps, err := os.ReadFile("/proc/swaps")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("nvme: %w", err)
	}
	users := ns.usersOf(string(mountinfo), string(swaps))
	if len(users) == 0 && claimed(ns.Node) {
		users = []string{ns.Name + " is in use"}
	}
	return users, nil
}

// claimed reports whether somebody has the block device, or a partition of it,
// for himself.
func claimed(node string) bool {
	fd, err := unix.Open(node, unix.O_RDONLY|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if err != nil {
		return errors.Is(err, unix.EBUSY)
	}
	_ = unix.Close(fd)
	return false
}

// subsystem finds the NVM subsystem of the node, by its device number: a path
// may be anything.
func (n *Node) subsystem() (*SubsystemInfo, error) {
	var st unix.Stat_t
	if err := n.acquire(); err != nil {
		return nil, err
	}
	err := unix.Fstat(n.fd, &st)
	n.release()
	if err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	kind := "char"
	if st.Mode&unix.S_IFMT == unix.S_IFBLK {
		kind = "block"
	}
	rdev := uint64(st.Rdev)
	link, err := os.Readlink(fmt.Sprintf("/sys/dev/%s/%d:%d", kind, unix.Major(rdev), unix.Minor(rdev)))
	if err != nil {
		return nil, fmt.Errorf("nvme: %s: %w", n.Name(), err)
	}
	inv, err := Discover()
	if err != nil {
		return nil, err
	}
	name := filepath.Base(link)
	for i := range inv {
		if inv[i].has(name) {
			return &inv[i], nil
		}
	}
	return nil, fmt.Errorf("nvme: %s, which is %s: %w", n.Name(), name, ErrNotNVMe)
}

// has reports whether a device of the kernel belongs to the NVM subsystem.
func (s *SubsystemInfo) has(name string) bool {
	return slices.ContainsFunc(s.Controllers, func(c ControllerInfo) bool { return c.Name == name }) ||
		slices.ContainsFunc(s.Namespaces, func(n NamespaceInfo) bool {
			return n.Name == name || filepath.Base(n.GenericNode) == name ||
				slices.ContainsFunc(n.Partitions, func(p PartitionInfo) bool { return p.Name == name })
		})
}

package vm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"strconv"
)

// Device is what can be plugged into a [Machine]: [*NVMe], [*Subsystem],
// [*Virtio], [*RootPort] and [Property]. One is in a single running machine at a time.
type Device interface {
	id() string
	check() error
	steps() []step  // in the order in which QEMU needs them
	disks() []*Disk // its contents
}

// Disk is the content of a drive.
type Disk struct {
	// Path is a file of raw bytes. "" makes one of Size bytes in memory, which
	// ends with the machine.
	Path string
	Size int64

	// Fill writes what a disk in memory holds at the start; nil leaves it zero. It
	// is called each time a machine with the disk is started.
	Fill func(ctx context.Context, w io.WriterAt) error

	// ReadOnly refuses writes.
	ReadOnly bool

	memory string // the path of a disk in memory, once it is made
}

func (d *Disk) check(blockSize int) error {
	switch {
	case d.Path != "" && d.Size != 0:
		return errors.New("a disk has a path or a size, not both")
	case d.Path == "" && d.Size <= 0:
		return fmt.Errorf("a disk without a path has %d bytes, want more than 0", d.Size)
	case d.Size%int64(max(blockSize, 512)) != 0:
		return fmt.Errorf("a disk of %d bytes has no whole number of blocks of %d", d.Size, max(blockSize, 512))
	}
	return nil
}

// node is the block device in QEMU that holds the disk.
func (d *Disk) node(name string) step {
	return step{"blockdev", map[string]any{
		"driver": "file", "node-name": name, "filename": cmp.Or(d.Path, d.memory, "memory:"+name), "read-only": d.ReadOnly,
		"discard": "unmap", "locking": "off",
	}}
}

// idPattern is what QEMU takes for an ID: util/id.c, id_wellformed.
var idPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$`)

func checkID(id string) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("the ID %q is not a letter followed by letters, digits and . _ -", id)
	}
	return nil
}

// NVMe is an NVMe controller on PCI with its namespaces: QEMU's hw/nvme/ctrl.c.
type NVMe struct {
	// ID names the controller. Serial is what Identify says, the ID if it is "".
	ID     string
	Serial string

	// Port is the ID of the [RootPort] that it is plugged into; "" puts it on the
	// root bus, where it cannot be unplugged.
	Port string

	// Subsystem is the ID of the [Subsystem] that it belongs to; "" gives it one
	// of its own.
	Subsystem string

	// Namespaces become nsid 1, 2 and so on.
	Namespaces []Namespace

	// Properties are further properties of the device: "mdts", "max_ioqpairs",
	// "zoned.zasl", with numbers, booleans or strings as QEMU wants them.
	Properties map[string]any
}

// Namespace is a namespace of an NVMe controller: hw/nvme/ns.c.
type Namespace struct {
	Disk

	// BlockSize is the size of a logical block in bytes, 512 if it is 0.
	BlockSize int

	// Metadata is the number of bytes that go with each block: 0, 8, 16 or 64.
	// Extended transfers them with the data, not in a buffer of their own.
	Metadata int
	Extended bool

	// Protection is the type of protection information, 0 to 3, for which
	// Metadata has to be at least 8. ProtectionFirst puts it into the first bytes
	// of the metadata.
	Protection      int
	ProtectionFirst bool

	// Detached does not attach the namespace to its controller; Shared lets all
	// controllers of the subsystem attach it.
	Detached bool
	Shared   bool

	// Properties are further properties of the device.
	Properties map[string]any
}

func (n *NVMe) id() string { return n.ID }

func (n *NVMe) check() error {
	if err := checkID(n.ID); err != nil {
		return fmt.Errorf("NVMe: %w", err)
	}
	for i := range n.Namespaces {
		if err := n.Namespaces[i].check(); err != nil {
			return fmt.Errorf("NVMe %s, namespace %d: %w", n.ID, i+1, err)
		}
	}
	return nil
}

func (ns *Namespace) check() error {
	switch {
	case ns.BlockSize != 0 && (ns.BlockSize < 512 || ns.BlockSize > 2<<20 || ns.BlockSize&(ns.BlockSize-1) != 0):
		return fmt.Errorf("a block size of %d bytes is no power of two from 512 to 2 MiB", ns.BlockSize)
	case ns.Metadata < 0 || ns.Metadata > 64:
		return fmt.Errorf("metadata of %d bytes a block, want 0 to 64", ns.Metadata)
	case ns.Protection < 0 || ns.Protection > 3:
		return fmt.Errorf("protection information of type %d, want 0 to 3", ns.Protection)
	case ns.Protection > 0 && ns.Metadata < 8:
		return fmt.Errorf("protection information wants 8 bytes of metadata, has %d", ns.Metadata)
	}
	return ns.Disk.check(ns.BlockSize)
}

func (n *NVMe) disks() (disks []*Disk) {
	for i := range n.Namespaces {
		disks = append(disks, &n.Namespaces[i].Disk)
	}
	return disks
}

func (n *NVMe) steps() (steps []step) {
	controller := map[string]any{"driver": "nvme", "id": n.ID, "serial": cmp.Or(n.Serial, n.ID)}
	if n.Port != "" {
		controller["bus"] = n.Port
	}
	subsystem := cmp.Or(n.Subsystem, n.ID+"-subsystem")
	// NB: without a subsystem QEMU refuses detached namespaces; but one that is
	// hot-plugged takes a subsystem that was there at the start.
	if n.Subsystem == "" && n.Port == "" {
		steps = append(steps, (&Subsystem{ID: subsystem}).steps()...)
	}
	if n.Subsystem != "" || n.Port == "" {
		controller["subsys"] = subsystem
	}
	maps.Copy(controller, n.Properties)
	if n.Port != "" && len(n.Namespaces) == 1 {
		return n.single(controller)
	}
	steps = append(steps, step{"device", controller})
	for i := range n.Namespaces {
		steps = append(steps, n.Namespaces[i].steps(n.ID, i+1)...)
	}
	return steps
}

// single puts the only namespace into the controller itself: QEMU can plug in no
// nvme-ns while it runs.
func (n *NVMe) single(controller map[string]any) []step {
	ns := &n.Namespaces[0]
	node := n.ID + "-n1"
	controller["drive"] = node
	controller["logical_block_size"] = max(ns.BlockSize, 512)
	controller["physical_block_size"] = max(ns.BlockSize, 512)
	return []step{ns.Disk.node(node), {"device", controller}}
}

func (ns *Namespace) steps(controller string, nsid int) []step {
	node := controller + "-n" + strconv.Itoa(nsid)
	size := max(ns.BlockSize, 512)
	p := map[string]any{
		"driver": "nvme-ns", "id": node + "-ns", "drive": node, "bus": controller, "nsid": nsid,
		"logical_block_size": size, "physical_block_size": size,
		"shared": ns.Shared, "detached": ns.Detached,
	}
	if ns.Metadata > 0 {
		p["ms"] = ns.Metadata
		p["mset"] = bit(ns.Extended)
		p["pi"] = ns.Protection
		p["pil"] = bit(ns.ProtectionFirst)
	}
	maps.Copy(p, ns.Properties)
	return []step{ns.Disk.node(node), {"device", p}}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Subsystem is an NVMe subsystem, which several controllers can share:
// hw/nvme/subsys.c. It comes before them among a machine's devices.
type Subsystem struct {
	ID string

	// NQN is what the name of the subsystem ends in, the ID if it is "".
	NQN string
}

func (s *Subsystem) id() string     { return s.ID }
func (s *Subsystem) check() error   { return checkID(s.ID) }
func (s *Subsystem) disks() []*Disk { return nil }
func (s *Subsystem) steps() []step {
	return []step{{"device", map[string]any{"driver": "nvme-subsys", "id": s.ID, "nqn": cmp.Or(s.NQN, s.ID)}}}
}

// RootPort is a PCI Express port that a device can be plugged into and out of
// while the machine runs.
type RootPort struct {
	ID string

	// Slot is the number of the slot, 1 to 255, different for each port.
	Slot int
}

func (p *RootPort) id() string     { return p.ID }
func (p *RootPort) disks() []*Disk { return nil }

func (p *RootPort) check() error {
	if p.Slot < 1 || p.Slot > 255 {
		return fmt.Errorf("root port %s has the slot %d, want 1 to 255", p.ID, p.Slot)
	}
	return checkID(p.ID)
}

func (p *RootPort) steps() []step {
	return []step{{"device", map[string]any{
		"driver": "pcie-root-port", "id": p.ID, "chassis": p.Slot, "slot": p.Slot,
	}}}
}

// Virtio is a virtio disk on PCI.
type Virtio struct {
	ID string
	Disk

	// BlockSize is the size of a logical block in bytes, 512 if it is 0.
	BlockSize int
}

func (v *Virtio) id() string     { return v.ID }
func (v *Virtio) disks() []*Disk { return []*Disk{&v.Disk} }

func (v *Virtio) check() error {
	if err := checkID(v.ID); err != nil {
		return fmt.Errorf("virtio disk: %w", err)
	}
	if err := v.Disk.check(v.BlockSize); err != nil {
		return fmt.Errorf("virtio disk %s: %w", v.ID, err)
	}
	return nil
}

func (v *Virtio) steps() []step {
	node := v.ID + "-disk"
	size := max(v.BlockSize, 512)
	return []step{v.Disk.node(node), {"device", map[string]any{
		"driver": "virtio-blk-pci", "id": v.ID, "drive": node, "serial": v.ID,
		"logical_block_size": size, "physical_block_size": size,
	}}}
}

// Property is any other device: what follows -device, as JSON has it.
type Property map[string]any

func (p Property) id() string     { id, _ := p["id"].(string); return id }
func (p Property) disks() []*Disk { return nil }
func (p Property) steps() []step  { return []step{{"device", p}} }

func (p Property) check() error {
	if driver, _ := p["driver"].(string); driver == "" {
		return errors.New(`properties of a device without "driver"`)
	}
	return nil
}

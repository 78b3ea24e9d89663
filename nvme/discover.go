package nvme

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Inventory are the NVM subsystems that the kernel knows, in the order of their
// names. Linux: Documentation/ABI/stable/sysfs-block, drivers/nvme/host/sysfs.c.
type Inventory []SubsystemInfo

// SubsystemInfo is an NVM subsystem: mostly one drive.
type SubsystemInfo struct {
	Name     string // such as "nvme-subsys0"; "" before Linux 4.15
	NQN      string
	Model    string
	Serial   string
	IOPolicy string // how a path is chosen: "numa", "round-robin"; "" without multipath

	Controllers []ControllerInfo
	Namespaces  []NamespaceInfo
}

// ControllerInfo is a controller, as the kernel knows it.
type ControllerInfo struct {
	Name      string // such as "nvme0"
	Node      string // such as "/dev/nvme0"
	ID        uint16 // CNTLID
	Model     string
	Serial    string
	Firmware  string // NB: may be that from before an activation; FirmwareSlotLog is not
	State     string // "live", "resetting", "connecting", ...
	Transport string // "pcie", "tcp", "rdma", "fc", "loop"
	Address   string // as the transport has it: "0000:01:00.0", "traddr=10.0.0.1,trsvcid=4420"
	NUMANode  int    // -1 is none
}

// PCIAddress returns the controller's PCI address, such as "0000:01:00.0", or ""
// if it is not a PCI device.
func (c *ControllerInfo) PCIAddress() string {
	if c.Transport != "pcie" {
		return ""
	}
	return c.Address
}

// NamespaceInfo is a namespace that has a block device.
type NamespaceInfo struct {
	Name        string // such as "nvme0n3". NB: the number at its end is not the NSID
	Node        string // such as "/dev/nvme0n3"
	GenericNode string // such as "/dev/ng0n3"; "" before Linux 5.13
	NSID        uint32
	WWID        string // "uuid.…", "eui.…" or "nvme.…": the same by every path
	UUID        string
	NGUID       string
	EUI64       string
	Device      string // "major:minor"
	Size        int64  // bytes
	BlockSize   int    // bytes
	Holders     []string
	Partitions  []PartitionInfo
	Paths       []PathInfo
}

// PartitionInfo is a partition of a namespace.
type PartitionInfo struct {
	Name    string // such as "nvme0n3p1"
	Device  string // "major:minor"
	Holders []string
}

// PathInfo is a way to a namespace by a controller. Without native multipath each
// namespace has one.
type PathInfo struct {
	Name       string // of the hidden device, such as "nvme0c1n3"; "" without multipath
	Controller string // such as "nvme1"
	ANAState   string // "optimized", "non-optimized", ...; "" if there is none
}

// Controllers returns all controllers.
func (inv Inventory) Controllers() (all []ControllerInfo) {
	for _, s := range inv {
		all = append(all, s.Controllers...)
	}
	return all
}

// Namespaces returns all namespaces.
func (inv Inventory) Namespaces() (all []NamespaceInfo) {
	for _, s := range inv {
		all = append(all, s.Namespaces...)
	}
	return all
}

// BySerial returns the NVM subsystem with a serial number. It fails with
// fs.ErrNotExist if there is none, and also if there are several: serial numbers
// are unique only by vendor.
func (inv Inventory) BySerial(serial string) (*SubsystemInfo, error) {
	var found *SubsystemInfo
	for i := range inv {
		if inv[i].Serial != serial {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("nvme: serial number %q: both %s and %s have it", serial, found.Name, inv[i].Name)
		}
		found = &inv[i]
	}
	if found == nil {
		return nil, fmt.Errorf("nvme: no drive with serial number %q: %w", serial, fs.ErrNotExist)
	}
	return found, nil
}

// Namespace returns the namespace with an NSID.
func (s *SubsystemInfo) Namespace(nsid uint32) (*NamespaceInfo, error) {
	for i := range s.Namespaces {
		if s.Namespaces[i].NSID == nsid {
			return &s.Namespaces[i], nil
		}
	}
	return nil, fmt.Errorf("nvme: no namespace %d on drive %s: %w", nsid, s.Serial, fs.ErrNotExist)
}

// DiscoverIn is [Discover] in a tree that looks like /sys. Devices that go away
// meanwhile are left out.
func DiscoverIn(sys fs.FS) (Inventory, error) {
	d := discovery{sys: sys}
	var inv Inventory
	known := make(map[string]bool)
	for _, name := range d.names("class/nvme-subsystem", isSubsystem) {
		s := d.subsystem(name)
		for _, c := range s.Controllers {
			known[c.Name] = true
		}
		inv = append(inv, s)
	}
	for _, name := range d.names("class/nvme", isController) {
		if known[name] {
			continue
		}
		c := d.controller(name) // of a kernel without subsystems
		s := SubsystemInfo{Model: c.Model, Serial: c.Serial, NQN: d.text("class/nvme", name, "subsysnqn"),
			Controllers: []ControllerInfo{c}}
		s.Namespaces = d.namespaces(path.Join("class/nvme", name), name)
		inv = append(inv, s)
	}
	if d.err != nil {
		return nil, fmt.Errorf("nvme: discover: %w", d.err)
	}
	return inv, nil
}

// discovery reads sysfs. The first error that is not about a device going away
// stays in err.
type discovery struct {
	sys fs.FS
	err error
}

func (d *discovery) subsystem(name string) SubsystemInfo {
	dir := path.Join("class/nvme-subsystem", name)
	s := SubsystemInfo{Name: name, NQN: d.text(dir, "subsysnqn"), Model: d.text(dir, "model"), Serial: d.text(dir, "serial"),
		IOPolicy: d.text(dir, "iopolicy")}
	for _, controller := range d.names(dir, isController) {
		s.Controllers = append(s.Controllers, d.controller(controller))
	}
	// With multipath the block devices are the subsystem's, and the controllers
	// have hidden ones; without, they are the controllers'.
	s.Namespaces = d.namespaces(dir, "")
	for _, c := range s.Controllers {
		controllerDir := path.Join("class/nvme", c.Name)
		s.Namespaces = append(s.Namespaces, d.namespaces(controllerDir, c.Name)...)
		for _, hidden := range d.names(controllerDir, isPath) {
			d.addPath(&s, c.Name, path.Join(controllerDir, hidden))
		}
	}
	slices.SortFunc(s.Namespaces, func(a, b NamespaceInfo) int {
		return cmp.Or(cmp.Compare(a.NSID, b.NSID), natural(a.Name, b.Name))
	})
	return s
}

// addPath adds a path to the namespace that it leads to.
func (d *discovery) addPath(s *SubsystemInfo, controller, dir string) {
	nsid, wwid := uint32(d.number(dir, "nsid")), d.text(dir, "wwid")
	for i := range s.Namespaces {
		if n := &s.Namespaces[i]; n.NSID == nsid && n.WWID == wwid {
			n.Paths = append(n.Paths, PathInfo{Name: path.Base(dir), Controller: controller, ANAState: d.text(dir, "ana_state")})
		}
	}
}

func (d *discovery) controller(name string) ControllerInfo {
	dir := path.Join("class/nvme", name)
	c := ControllerInfo{Name: name, Node: "/dev/" + name, ID: uint16(d.number(dir, "cntlid")), Model: d.text(dir, "model"),
		Serial: d.text(dir, "serial"), Firmware: d.text(dir, "firmware_rev"), State: d.text(dir, "state"),
		Transport: d.text(dir, "transport"), Address: d.text(dir, "address"), NUMANode: -1}
	if text := d.text(dir, "numa_node"); text != "" {
		c.NUMANode = int(d.number(dir, "numa_node"))
	}
	return c
}

// namespaces returns the block devices in a directory: of a controller, or of a
// subsystem if that is "".
func (d *discovery) namespaces(dir, controller string) (all []NamespaceInfo) {
	for _, name := range d.names(dir, isNamespace) {
		at := path.Join(dir, name)
		n := NamespaceInfo{Name: name, Node: "/dev/" + name, NSID: uint32(d.number(at, "nsid")), WWID: d.text(at, "wwid"),
			UUID: d.text(at, "uuid"), NGUID: d.text(at, "nguid"), EUI64: strings.ReplaceAll(d.text(at, "eui"), " ", ""),
			Device: d.text(at, "dev"), Size: d.number(at, "size") * 512,
			BlockSize: int(d.number(at, "queue/logical_block_size")), Holders: d.names(at+"/holders", isAny)}
		if generic := "ng" + strings.TrimPrefix(name, "nvme"); d.exists(dir, generic) || d.exists("class/nvme-generic", generic) {
			n.GenericNode = "/dev/" + generic
		}
		for _, part := range d.names(at, func(s string) bool { return strings.HasPrefix(s, name+"p") }) {
			n.Partitions = append(n.Partitions, PartitionInfo{Name: part, Device: d.text(at, part, "dev"),
				Holders: d.names(path.Join(at, part, "holders"), isAny)})
		}
		if controller != "" {
			n.Paths = []PathInfo{{Controller: controller, ANAState: d.text(at, "ana_state")}}
		}
		all = append(all, n)
	}
	return all
}

// names lists the entries of a directory that match, in the order of their
// numbers.
func (d *discovery) names(dir string, match func(string) bool) (names []string) {
	entries, err := fs.ReadDir(d.sys, dir)
	d.note(err)
	for _, e := range entries {
		if match(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, natural)
	return names
}

func (d *discovery) exists(elem ...string) bool {
	_, err := fs.Stat(d.sys, path.Join(elem...))
	return err == nil
}

// text reads an attribute; one that is not there is "".
func (d *discovery) text(elem ...string) string {
	b, err := fs.ReadFile(d.sys, path.Join(elem...))
	d.note(err)
	return strings.Trim(string(b), " \n\x00")
}

func (d *discovery) number(elem ...string) int64 {
	text := d.text(elem...)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		d.note(fmt.Errorf("%s: %w", path.Join(elem...), err))
	}
	return n
}

// note keeps an error, unless it says that something is not there or has gone:
// a sysfs file whose device has gone reads as ENODEV.
func (d *discovery) note(err error) {
	if err != nil && d.err == nil && !errors.Is(err, fs.ErrNotExist) && !isGone(err) {
		d.err = err
	}
}

func isAny(string) bool          { return true }
func isSubsystem(s string) bool  { return numbered(s, "nvme-subsys") }
func isController(s string) bool { return numbered(s, "nvme") }
func isNamespace(s string) bool  { return numbered(s, "nvme", "n") }
func isPath(s string) bool       { return numbered(s, "nvme", "c", "n") }

// numbered reports whether s is the words, each with a number after it.
func numbered(s string, words ...string) bool {
	for _, word := range words {
		rest, ok := strings.CutPrefix(s, word)
		s = strings.TrimLeft(rest, "0123456789")
		if !ok || len(s) == len(rest) {
			return false
		}
	}
	return s == ""
}

// natural compares names so that nvme10 comes after nvme9.
func natural(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na > 0 && nb > 0 {
			x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
				return c
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// digits returns how many digits s begins with.
func digits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

// usersOf lists who uses a namespace: mounts and swaps, as /proc/self/mountinfo
// and /proc/swaps have them, and devices that hold it.
func (n *NamespaceInfo) usersOf(mountinfo, swaps string) (users []string) {
	parts := append([]PartitionInfo{{Name: n.Name, Device: n.Device, Holders: n.Holders}}, n.Partitions...)
	for _, p := range parts {
		for _, line := range strings.Split(mountinfo, "\n") {
			if f := strings.Fields(line); len(f) > 4 && f[2] == p.Device {
				users = append(users, fmt.Sprintf("%s is mounted on %s", p.Name, f[4]))
			}
		}
		for _, line := range strings.Split(swaps, "\n") {
			if f := strings.Fields(line); len(f) > 0 && f[0] == "/dev/"+p.Name {
				users = append(users, p.Name+" is swapped to")
			}
		}
		for _, h := range p.Holders {
			users = append(users, fmt.Sprintf("%s is held by %s", p.Name, h))
		}
	}
	return users
}

package loop

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/drivebay/drivebay/loop/internal/sys"
)

// HolderKind is a way to use a device.
type HolderKind int

// The ways to use a device.
const (
	HeldByMount   HolderKind = iota // mounted in some mount namespace
	HeldBySwap                      // swap space
	HeldByDevice                    // part of another block device: device-mapper, md, loop
	HeldByProcess                   // open in a process
	HeldByFile                      // a file on it is open in a process, or its working directory
)

// String returns "mount", "swap", "device", "process" or "file".
func (k HolderKind) String() string {
	names := [...]string{"mount", "swap", "device", "process", "file"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("HolderKind(%d)", int(k))
	}
	return names[k]
}

// Holder is a user of a loop device or of a partition of one.
type Holder struct {
	Kind HolderKind
	// Device is what is used: "loop3", "loop3p1".
	Device string
	// Name is the mount point, the path of the swap space, the name of the other
	// block device ("dm-0"), or the name of the process.
	Name string
	// PID is the process; of a mount, one that sees it, and 0 where it is in the
	// mount namespace of this process. Else it is 0.
	PID int
}

// String says who uses what.
func (h Holder) String() string {
	switch h.Kind {
	case HeldByMount:
		s := fmt.Sprintf("%s is mounted at %s", h.Device, h.Name)
		if h.PID != 0 {
			s += fmt.Sprintf(" for process %d", h.PID)
		}
		return s
	case HeldBySwap:
		return fmt.Sprintf("%s is swap space", h.Device)
	case HeldByDevice:
		return fmt.Sprintf("%s is part of %s", h.Device, h.Name)
	case HeldByProcess:
		return fmt.Sprintf("%s is open in process %d (%s)", h.Device, h.PID, h.Name)
	case HeldByFile:
		return fmt.Sprintf("a file on %s is open in process %d (%s)", h.Device, h.PID, h.Name)
	}
	return h.Device
}

// Holders returns who uses the device and its partitions, as far as this process
// can see: mounts of all mount namespaces that have a process, swap space, other
// block devices made of it, and processes that have it, or a file on it, open. So
// a mount that no namespace has shows as the process that holds it.
//
// The Device's own file of the device, which every bound device has, counts as an
// open one of this process. A process that may not look into another's /proc does
// not see what that has open; one process is listed once for each of the device
// and its partitions. It looks at every open file of the machine, which takes
// milliseconds.
func (d *Device) Holders() ([]Holder, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, fmt.Errorf("loop: holders of %s: %w", d.Name(), os.ErrClosed)
	}
	holders, err := holdersOf(d.Name(), "")
	if err != nil {
		return nil, fmt.Errorf("loop: holders of %s: %w", d.Name(), err)
	}
	return holders, nil
}

// busy returns the error of a device or partition that is in use. It looks at what
// is left of the device.
func busy(device, object string) error {
	partition := object
	if object == device {
		partition = ""
	}
	// The error is that the device is in use; not to see by whom adds nothing.
	holders, _ := holdersOf(device, partition)
	return &BusyError{Device: object, Holders: holders}
}

// holdersOf returns the users of a device and its partitions, or of one partition.
func holdersOf(device, partition string) ([]Holder, error) {
	s, err := newSearch(device, partition)
	if err != nil {
		return nil, err
	}
	s.devices()
	s.swaps()
	s.processes()
	slices.SortFunc(s.found, func(a, b Holder) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Device, b.Device),
			cmp.Compare(a.PID, b.PID), strings.Compare(a.Name, b.Name))
	})
	return slices.Compact(s.found), nil
}

// search looks for users of block devices.
type search struct {
	disk    string
	names   map[DeviceNumber]string // of the devices in question
	numbers map[string]DeviceNumber
	found   []Holder
}

func newSearch(device, partition string) (*search, error) {
	s := &search{disk: device, names: map[DeviceNumber]string{}, numbers: map[string]DeviceNumber{}}
	names := []string{partition}
	if partition == "" {
		dirs, err := filepath.Glob(sysBlock + device + "/" + device + "p*")
		if err != nil {
			return nil, err
		}
		names = []string{device}
		for _, dir := range dirs {
			names = append(names, filepath.Base(dir))
		}
	}
	for _, name := range names {
		num, err := sysfsNumber(s.sysfsDir(name))
		if errors.Is(err, os.ErrNotExist) {
			continue // a partition that is just being deleted
		} else if err != nil {
			return nil, err
		}
		s.names[num], s.numbers[name] = name, num
	}
	return s, nil
}

func (s *search) sysfsDir(name string) string {
	if name == s.disk {
		return sysBlock + name
	}
	return sysBlock + s.disk + "/" + name
}

func (s *search) add(kind HolderKind, device, name string, pid int) {
	s.found = append(s.found, Holder{kind, device, name, pid})
}

// devices looks for block devices made of these: those that tell the kernel
// (holders in sysfs), and loop devices, which do not.
func (s *search) devices() {
	for name := range s.numbers {
		entries, _ := os.ReadDir(s.sysfsDir(name) + "/holders")
		for _, e := range entries {
			s.add(HeldByDevice, name, e.Name(), 0)
		}
	}
	infos, _ := List()
	for _, info := range infos {
		if name, ok := s.node(info.BackingFile); ok {
			s.add(HeldByDevice, name, info.Name, 0)
		}
	}
}

// node reports which of the devices path is the node of.
func (s *search) node(path string) (string, bool) {
	st, err := sys.StatCached(path)
	if err != nil || st.Type != sys.BlockDevice {
		return "", false
	}
	name, ok := s.names[deviceNumber(st.Rdev)]
	return name, ok
}

func (s *search) swaps() {
	text, _ := os.ReadFile("/proc/swaps")
	for line := range strings.Lines(string(text)) {
		path, _, _ := strings.Cut(line, " ")
		path = unescape(path)
		if name, ok := s.node(path); ok {
			s.add(HeldBySwap, name, path, 0)
		}
	}
}

// processes looks at what every process has open, and at its mount namespace.
func (s *search) processes() {
	own, _ := os.Readlink("/proc/self/ns/mnt")
	seen := map[string]bool{own: true}
	s.mounts("/proc/self/mountinfo", 0)
	eachProcess(func(dir string, pid int) {
		if ns, err := os.Readlink(dir + "ns/mnt"); err == nil && !seen[ns] {
			seen[ns] = true
			s.mounts(dir+"mountinfo", pid)
		}
		s.files(dir, pid)
	})
}

// eachProcess calls fn for every process, with its directory in /proc.
func eachProcess(fn func(dir string, pid int)) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			fn("/proc/"+e.Name()+"/", pid)
		}
	}
}

// files looks at what one process has open.
func (s *search) files(dir string, pid int) {
	links := []string{dir + "cwd", dir + "root", dir + "exe"}
	fds, _ := os.ReadDir(dir + "fd") // EACCES: another user's
	for _, fd := range fds {
		links = append(links, dir+"fd/"+fd.Name())
	}
	var comm string
	for _, link := range links {
		st, err := sys.StatCached(link)
		if err != nil {
			continue
		}
		kind, num := HeldByFile, deviceNumber(st.Dev)
		if st.Type == sys.BlockDevice {
			kind, num = HeldByProcess, deviceNumber(st.Rdev)
		}
		name, ok := s.names[num]
		if !ok {
			continue
		}
		if comm == "" {
			comm, _ = sysfsString(dir + "comm")
		}
		s.add(kind, name, comm, pid)
	}
}

// mounts looks at the mounts of one namespace, that of process pid, or of this one
// for 0.
func (s *search) mounts(path string, pid int) {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		m, ok := parseMount(line)
		if !ok {
			continue
		}
		name, ok := s.names[m.device]
		if !ok && m.device.Major == 0 {
			// Some file systems, such as btrfs, have numbers of their own.
			name = filepath.Base(m.source)
			_, ok = s.numbers[name]
		}
		if ok {
			s.add(HeldByMount, name, m.point, pid)
		}
	}
}

// mountLine is what a line of /proc/PID/mountinfo says.
type mountLine struct {
	device        DeviceNumber
	point, source string
}

// parseMount parses a line of mountinfo: proc_pid_mountinfo(5).
func parseMount(line string) (m mountLine, ok bool) {
	fixed, rest, ok := strings.Cut(line, " - ")
	left, right := strings.Fields(fixed), strings.Fields(rest)
	if !ok || len(left) < 6 || len(right) < 2 {
		return mountLine{}, false
	}
	num, err := parseDeviceNumber(left[2])
	return mountLine{device: num, point: unescape(left[4]), source: unescape(right[1])}, err == nil
}

// unescape undoes mangle_path of fs/seq_file.c, for the characters that mount
// tables escape.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#").Replace(s)
}

package vm

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Accelerator is what executes a guest's instructions.
type Accelerator string

// The accelerators on Linux.
const (
	TCG Accelerator = "tcg" // QEMU itself; works everywhere
	KVM Accelerator = "kvm" // the host's processor, for its own architecture; see [Accelerators]
)

// Machine is a machine of QEMU's and what is plugged into it.
type Machine struct {
	// Arch is AMD64 if it is "".
	Arch Arch

	// QEMU is the program; "" means qemu-system-x86_64 or qemu-system-aarch64 as
	// PATH finds it.
	QEMU string

	// Accelerator is TCG if it is "".
	Accelerator Accelerator

	// CPUs is their number, 1 if it is 0; Memory in bytes is a multiple of 1 MiB,
	// DefaultMemory if it is 0. The host gives only what the guest touches.
	CPUs   int
	Memory int64

	// Kernel is the path of a bzImage, of an uncompressed kernel that boots by PVH,
	// or of an arm64 Image; "" boots what the firmware finds on a disk. Initramfs is
	// the path of an archive and CmdLine the kernel's arguments; both want a Kernel.
	Kernel    string
	Initramfs string
	CmdLine   []string

	// Firmware is the path of a UEFI firmware's code (OVMF_CODE_4M.fd), and
	// Variables that of a template of its variables (OVMF_VARS_4M.fd), which is
	// copied into memory. "" means QEMU's own BIOS, which ARM64 does not have.
	Firmware  string
	Variables string

	// Serial is the number of serial ports besides the first, which is the
	// console: 0 to 3. See [VM.Serial].
	Serial int

	// Devices are plugged in at the start.
	Devices []Device
}

// DefaultMemory is how many bytes of memory a [Machine] has that says nothing of it.
const DefaultMemory int64 = 1 << 30

const (
	mebibyte  = 1 << 20
	maxSerial = 3 // besides the console: a PC has four ports, and a kernel of Debian's takes four
)

// Command returns QEMU's program and arguments for the machine. File descriptors
// that [Start] passes stand in it by number, disks in memory as "memory:ID".
func (m Machine) Command() ([]string, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	args := []string{
		cmp.Or(m.QEMU, m.board().program), "-nodefaults", "-no-user-config", "-display", "none",
		"-machine", m.board().machine,
		"-smp", strconv.Itoa(max(m.CPUs, 1)),
		"-m", strconv.FormatInt(m.memory()/mebibyte, 10) + "M",
		"-no-reboot",
	}
	args = append(args, m.processor()...)
	args = append(args, m.boot()...)
	for i := range m.Serial + 1 {
		args = append(args, m.serial(i)...)
	}
	args = append(args, "-chardev", fmt.Sprintf("socket,id=qmp,fd=%d", firstFD), "-mon", "chardev=qmp,mode=control")
	for _, d := range m.Devices {
		for _, step := range d.steps() {
			args = append(args, step.args()...)
		}
	}
	return args, nil
}

// firstFD is the number of the first file that os/exec passes on: QMP's.
const firstFD = 3

func (m Machine) memory() int64 { return cmp.Or(m.Memory, DefaultMemory) }

func (m Machine) processor() []string {
	if m.Accelerator == KVM {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-accel", "tcg,thread=multi", "-cpu", m.board().tcg}
}

func (m Machine) boot() (args []string) {
	switch {
	case m.Firmware != "":
		args = append(args,
			"-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+escape(m.Firmware),
			"-drive", "if=pflash,unit=1,format=raw,file="+escape(m.Variables))
	case m.Kernel != "" && m.board().bios != "" && !m.hotPlug():
		// It keeps no address space for what is plugged into a port later.
		args = append(args, "-bios", m.board().bios)
	}
	if m.Kernel != "" {
		args = append(args, "-kernel", m.Kernel)
	}
	if m.Initramfs != "" {
		args = append(args, "-initrd", m.Initramfs)
	}
	if len(m.CmdLine) > 0 {
		args = append(args, "-append", strings.Join(m.CmdLine, " "))
	}
	return args
}

// hotPlug reports whether devices can be plugged in while the machine runs.
func (m Machine) hotPlug() bool {
	return slices.ContainsFunc(m.Devices, func(d Device) bool { _, ok := d.(*RootPort); return ok })
}

// escape doubles the commas of a value in an option.
func escape(s string) string { return strings.ReplaceAll(s, ",", ",,") }

func (m Machine) check() error {
	switch {
	case m.board() == board{}:
		return fmt.Errorf("%w: architecture %q, want amd64 or arm64", ErrMachine, m.Arch)
	case m.CPUs < 0 || m.CPUs > 255:
		return fmt.Errorf("%w: %d CPUs, want 1 to 255", ErrMachine, m.CPUs)
	case m.memory() < mebibyte || m.memory()%mebibyte != 0:
		return fmt.Errorf("%w: memory of %d bytes is no multiple of 1 MiB", ErrMachine, m.Memory)
	case m.Serial < 0 || m.Serial > maxSerial:
		return fmt.Errorf("%w: %d serial ports besides the console, want 0 to %d", ErrMachine, m.Serial, maxSerial)
	case m.Accelerator != "" && m.Accelerator != TCG && m.Accelerator != KVM:
		return fmt.Errorf("%w: accelerator %q, want tcg or kvm", ErrMachine, m.Accelerator)
	case m.Kernel == "" && (m.Initramfs != "" || len(m.CmdLine) > 0):
		return fmt.Errorf("%w: an initramfs or a command line without a kernel", ErrMachine)
	case (m.Firmware == "") != (m.Variables == ""):
		return fmt.Errorf("%w: UEFI firmware wants both its code and its variables", ErrMachine)
	}
	ids := map[string]bool{}
	for i, d := range m.Devices {
		if err := d.check(); err != nil {
			return fmt.Errorf("%w: device %d: %w", ErrMachine, i, err)
		}
		if id := d.id(); id != "" && ids[id] {
			return fmt.Errorf("%w: device %d: the ID %q is taken", ErrMachine, i, id)
		}
		ids[d.id()] = true
	}
	return nil
}

// step is one thing that QEMU is told, on its command line or over QMP.
type step struct {
	option     string         // "blockdev", "device"
	properties map[string]any // JSON
}

func (s step) args() []string {
	b, err := json.Marshal(s.properties)
	if err != nil {
		panic(err) // strings, numbers and booleans
	}
	return []string{"-" + s.option, string(b)}
}

// command is the QMP command that does the step while the machine runs.
func (s step) command() string {
	if s.option == "blockdev" {
		return "blockdev-add"
	}
	return s.option + "_add"
}

package vm

import (
	"fmt"
	"strconv"
)

// Arch is the architecture of a machine, by the name that Go has for it.
type Arch string

// The architectures of machines.
const (
	AMD64 Arch = "amd64" // a PC: QEMU's q35
	ARM64 Arch = "arm64" // QEMU's virt
)

// board is what an architecture's machine is made of.
type board struct {
	program string
	machine string
	tcg     string // the processor as TCG has it
	bios    string // for a kernel that is given; "" QEMU's own, or none
}

var boards = map[Arch]board{
	AMD64: {
		program: "qemu-system-x86_64",
		machine: "q35,usb=off,vmport=off,smbus=off,sata=off,i8042=off",
		// NB: with cmpxchg16b a 6.12 kernel panics under the TCG of QEMU 7.2. What else
		// is missing makes a kernel do what TCG is slow at: a fifth level of page tables
		// costs each miss of the TLB a fifth step, erms has memory cleared byte by byte,
		// and smap ends a block of translated code at each access to a program's memory.
		tcg: "max,-cx16,-la57,-erms,-smap",
		// It does what a kernel wants of a BIOS, sooner than QEMU's own.
		bios: "qboot.rom",
	},
	ARM64: {
		program: "qemu-system-aarch64",
		machine: "virt,gic-version=max",
		// Each function of a kernel signs its return address, which takes TCG long.
		tcg: "max,pauth=off",
	},
}

func (m Machine) board() board {
	if m.Arch == "" {
		return boards[AMD64]
	}
	return boards[m.Arch]
}

// serial returns the options for the serial port of a number, from 0, the console.
func (m Machine) serial(number int) []string {
	id := "serial" + strconv.Itoa(number)
	args := []string{"-chardev", fmt.Sprintf("socket,id=%s,fd=%d", id, firstFD+1+number)}
	switch {
	case m.Arch != ARM64:
		return append(args, "-device", fmt.Sprintf("isa-serial,chardev=%s,index=%d", id, number))
	case number == 0:
		return append(args, "-serial", "chardev:"+id) // the board's one PL011
	}
	return append(args, "-device", "pci-serial,chardev="+id)
}

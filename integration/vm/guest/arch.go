package guest

import (
	"debug/elf"
	"fmt"
	"runtime"
	"slices"
)

// arch is what guests of an architecture differ in.
type arch struct {
	name     string        // as Go has it
	machines []elf.Machine // whose programs its kernel runs
	console  string        // the kernel's name for it
	port     string        // the first serial port besides the console
	triplet  string        // of the directories of libraries, in Debian
}

var arches = []arch{
	{"amd64", []elf.Machine{elf.EM_X86_64, elf.EM_386}, "ttyS0", "/dev/ttyS1", "x86_64-linux-gnu"},
	{"arm64", []elf.Machine{elf.EM_AARCH64}, "ttyAMA0", "/dev/ttyS0", "aarch64-linux-gnu"},
}

// archOf returns the architecture of a kernel, amd64 if it names none.
func archOf(name string) arch {
	i := slices.IndexFunc(arches, func(a arch) bool { return a.name == name })
	return arches[max(i, 0)]
}

// own is the architecture of the running program, and init's in a guest. A program
// for 386 starts guests of amd64.
func own() arch { return archOf(runtime.GOARCH) }

// Arch returns the architecture, "amd64" or "arm64", of the kernel that runs the
// executable at a path. One that is not for Linux on these is a *[ProgramError].
func Arch(path string) (string, error) {
	f, err := openELF(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for _, a := range arches {
		if a.runs(f) {
			return a.name, nil
		}
	}
	return "", &ProgramError{Path: path, Reason: fmt.Sprintf("it is for %v, guests are amd64 or arm64 with Linux", f.Machine)}
}

// runs reports whether a Linux of the architecture runs an executable.
func (a arch) runs(f *elf.File) bool {
	return slices.Contains(a.machines, f.Machine) && (f.OSABI == elf.ELFOSABI_NONE || f.OSABI == elf.ELFOSABI_LINUX)
}

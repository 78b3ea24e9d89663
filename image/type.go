package image

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Type is the type of a partition, in one of three forms:
//
//   - the short name that the Discoverable Partitions Specification and
//     systemd-repart have for it: "esp", "root-x86-64", "usr-arm64-verity". A
//     name without its architecture ("root", "usr-verity") is that of the
//     machine that builds;
//   - a GUID, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
//   - the byte that an MBR has for it, "0x0c".
//
// On a GPT disk the first two will do, on an MBR disk the first (where it has a
// byte) and the last.
type Type string

// The types that most disks are made of. All others are strings as well.
const (
	ESP          Type = "esp"           // EFI system partition
	XBOOTLDR     Type = "xbootldr"      // extended boot loader partition
	BIOSBoot     Type = "bios-boot"     // where GRUB lies on a GPT disk
	Root         Type = "root"          // root of the building machine's architecture
	RootX86_64   Type = "root-x86-64"   // root of x86-64
	RootARM64    Type = "root-arm64"    // root of 64-bit ARM
	Home         Type = "home"          // /home
	Srv          Type = "srv"           // /srv
	Var          Type = "var"           // /var
	Tmp          Type = "tmp"           // /var/tmp
	Swap         Type = "swap"          // swap space
	LinuxGeneric Type = "linux-generic" // any Linux file system; what an empty Type means
)

// archs are the specification's names of Go's architectures.
var archs = map[string]string{
	"386": "x86", "amd64": "x86-64", "arm": "arm", "arm64": "arm64", "loong64": "loongarch64",
	"mips64le": "mips64-le", "mipsle": "mips-le", "ppc64": "ppc64", "ppc64le": "ppc64-le",
	"riscv64": "riscv64", "s390x": "s390x",
}

// full returns the name with what may be left out of it.
func (t Type) full() Type {
	if t == "" {
		return LinuxGeneric
	}
	for _, usage := range []Type{"root", "usr"} {
		if rest, ok := strings.CutPrefix(string(t), string(usage)); ok {
			switch rest {
			case "", "-verity", "-verity-sig":
				return usage + Type("-"+archs[runtime.GOARCH]+rest)
			}
		}
	}
	return t
}

// GUID returns the GUID that tells the type on a GPT disk.
func (t Type) GUID() (uuid.UUID, error) {
	if s, ok := gptTypes[t.full()]; ok {
		return uuid.Parse(s)
	}
	if id, err := uuid.Parse(string(t)); err == nil && id != uuid.Nil && len(t) == 36 {
		return id, nil
	}
	return uuid.Nil, fmt.Errorf("%q is not a partition type of GPT: want a name such as esp or root-x86-64, or a GUID", string(t))
}

// MBR returns the byte that tells the type on an MBR disk.
func (t Type) MBR() (byte, error) {
	if b, ok := mbrTypes[t.full()]; ok {
		return b, nil
	}
	if strings.HasPrefix(string(t.full()), "root-") || strings.HasPrefix(string(t.full()), "usr-") {
		if _, ok := gptTypes[t.full()]; ok {
			return mbrTypes[LinuxGeneric], nil
		}
	}
	if hex, ok := strings.CutPrefix(string(t), "0x"); ok {
		if b, err := strconv.ParseUint(hex, 16, 8); err == nil && b != 0 {
			return byte(b), nil
		}
	}
	return 0, fmt.Errorf("%q is not a partition type of MBR: want a byte such as 0x83, or a name that has one, such as esp or swap", string(t))
}

// TypeOf returns the type with a GUID: its name where it has one.
func TypeOf(id uuid.UUID) Type {
	if t, ok := gptNames[id.String()]; ok {
		return t
	}
	return Type(id.String())
}

// gptNames is gptTypes the other way round.
var gptNames = func() map[string]Type {
	m := make(map[string]Type, len(gptTypes))
	for t, id := range gptTypes {
		m[id] = t
	}
	return m
}()

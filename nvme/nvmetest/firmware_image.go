package nvmetest

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Activation is how a firmware image can be activated.
type Activation uint8

// Activations, and the status of a commit that tells of them.
const (
	// AnyReset: at once by commit action 3; otherwise any controller level reset.
	AnyReset Activation = iota
	// ByControllerReset: by a controller level reset, never at once (111h).
	ByControllerReset
	// ByConventionalReset: by a conventional reset or a power cycle (10Bh).
	ByConventionalReset
	// BySubsystemReset: by an NVM subsystem reset or a power cycle (110h).
	BySubsystemReset
	// TakesTooLong: at once it would take longer than MTFA says (112h).
	TakesTooLong
	// Prohibited: the controller does not let it run (113h).
	Prohibited
	// FailsToLoad: it is taken, but does not start at the reset: the drive
	// stays with what it runs and posts a firmware image load error.
	FailsToLoad
	// NeverReady: it is taken and activated, but the controller does not become
	// ready with it. Only a power cycle ends that: the drive then starts what it ran
	// before.
	NeverReady
)

// Firmware describes a firmware image that the emulated drive takes.
type Firmware struct {
	Revision   string // at most 8 characters
	Size       int    // bytes, at least 32; 0 is 64 KiB
	Activation Activation
}

const (
	firmwareMagic  = "NVMETEST"
	firmwareHeader = 32
)

// Image returns the image: a header with a check sum, and data that is made up.
// It panics if Revision is too long or Size too small.
func (f Firmware) Image() []byte {
	if f.Size == 0 {
		f.Size = 64 << 10
	}
	if len(f.Revision) > 8 || f.Size < firmwareHeader {
		panic(fmt.Sprintf("nvmetest: firmware %q of %d bytes, want a revision of at most 8 characters and at least %d bytes",
			f.Revision, f.Size, firmwareHeader))
	}
	b := make([]byte, f.Size)
	for i := firmwareHeader; i < len(b); i++ {
		b[i] = byte(i * 7)
	}
	copy(b, firmwareMagic)
	copy(b[8:], f.Revision)
	b[16] = byte(f.Activation)
	binary.LittleEndian.PutUint32(b[20:], uint32(f.Size))
	binary.LittleEndian.PutUint32(b[24:], crc32.ChecksumIEEE(b[firmwareHeader:]))
	binary.LittleEndian.PutUint32(b[28:], crc32.ChecksumIEEE(b[:28]))
	return b
}

// parseFirmware reads an image's header. What is padded at the end is fine.
func parseFirmware(b []byte) (f Firmware, ok bool) {
	if len(b) < firmwareHeader || string(b[:8]) != firmwareMagic ||
		binary.LittleEndian.Uint32(b[28:]) != crc32.ChecksumIEEE(b[:28]) {
		return f, false
	}
	size := binary.LittleEndian.Uint32(b[20:])
	if uint64(size) > uint64(len(b)) || binary.LittleEndian.Uint32(b[24:]) != crc32.ChecksumIEEE(b[firmwareHeader:size]) {
		return f, false
	}
	revision := b[8:16]
	for len(revision) > 0 && revision[len(revision)-1] == 0 {
		revision = revision[:len(revision)-1]
	}
	return Firmware{Revision: string(revision), Size: int(size), Activation: Activation(b[16])}, true
}

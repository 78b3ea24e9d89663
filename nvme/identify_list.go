package nvme

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// NamespaceList is a list of NSIDs in ascending order, at most 1024 of them:
// NVMe Base 2.0, 4.6.2 "Namespace List". Identify returns such lists (CNS 02h,
// 07h, 10h, 1Ah) and the Changed Namespace List log.
type NamespaceList []uint32

func (*NamespaceList) size() int { return 4096 }

func (l *NamespaceList) walk(w *wire.Walker) {
	raw := w.Area(0, 4096, l)
	switch {
	case w.Decoding():
		*l = nil
		for ; len(raw) > 0; raw = raw[4:] {
			nsid := binary.LittleEndian.Uint32(raw)
			if nsid == 0 {
				return
			}
			*l = append(*l, nsid)
		}
	case w.Encoding():
		if len(*l) > 1024 {
			w.Failf("%d namespaces, want at most 1024", len(*l))
			return
		}
		for i, nsid := range *l {
			binary.LittleEndian.PutUint32(raw[4*i:], nsid)
		}
	}
}

// ControllerList is a list of controller identifiers in ascending order, at
// most 2047 of them: NVMe Base 2.0, 4.6.1 "Controller List". Identify returns
// such lists (CNS 12h, 13h) and Namespace Attachment takes one.
type ControllerList []uint16

func (*ControllerList) size() int { return 4096 }

func (l *ControllerList) walk(w *wire.Walker) { walkIDs(w, (*[]uint16)(l)) }

// EnduranceGroupList is a list of endurance group identifiers, at most 2047 of
// them: NVMe Base 2.0, 5.17.2.17 (CNS 19h).
type EnduranceGroupList []uint16

func (*EnduranceGroupList) size() int { return 4096 }

func (l *EnduranceGroupList) walk(w *wire.Walker) { walkIDs(w, (*[]uint16)(l)) }

// walkIDs visits a count and as many 16-bit identifiers, in 4096 bytes.
func walkIDs(w *wire.Walker, l *[]uint16) {
	raw := w.Area(0, 4096, l)
	switch {
	case w.Decoding():
		*l = nil
		n := int(binary.LittleEndian.Uint16(raw))
		if n > 2047 {
			w.Failf("%d identifiers, want at most 2047", n)
			return
		}
		for i := range n {
			*l = append(*l, binary.LittleEndian.Uint16(raw[2+2*i:]))
		}
	case w.Encoding():
		if len(*l) > 2047 {
			w.Failf("%d identifiers, want at most 2047", len(*l))
			return
		}
		binary.LittleEndian.PutUint16(raw, uint16(len(*l)))
		for i, id := range *l {
			binary.LittleEndian.PutUint16(raw[2+2*i:], id)
		}
	}
}

// NamespaceDescriptors is the Namespace Identification Descriptor list (CNS
// 03h): NVMe Base 2.0, 5.17.2.3.
type NamespaceDescriptors struct {
	EUI64      EUI64      // type 1; all zero is none
	NGUID      NGUID      // type 2; all zero is none
	UUID       UUID       // type 3; all zero is none
	CommandSet CommandSet // type 4; zero, the NVM command set, if there is none

	// CommandSetReported says that a descriptor of type 4 was there, as it is
	// since NVMe 2.0.
	CommandSetReported bool
}

func (*NamespaceDescriptors) size() int { return 4096 }

func (d *NamespaceDescriptors) walk(w *wire.Walker) {
	raw := w.Area(0, 4096, d)
	switch {
	case w.Decoding():
		*d = NamespaceDescriptors{}
		if err := d.decode(raw); err != nil {
			w.Failf("%v", err)
		}
	case w.Encoding():
		d.encode(raw)
	}
}

func (d *NamespaceDescriptors) decode(raw []byte) error {
	for len(raw) >= 4 && raw[1] != 0 {
		kind, length := raw[0], int(raw[1])
		if len(raw) < 4+length {
			return fmt.Errorf("descriptor of type %d reaches past the list", kind)
		}
		id := raw[4 : 4+length]
		raw = raw[4+length:]
		want := map[byte]int{1: 8, 2: 16, 3: 16, 4: 1}[kind]
		if want != 0 && length != want {
			return fmt.Errorf("descriptor of type %d has %d bytes, want %d", kind, length, want)
		}
		switch kind {
		case 1:
			copy(d.EUI64[:], id)
		case 2:
			copy(d.NGUID[:], id)
		case 3:
			copy(d.UUID[:], id)
		case 4:
			d.CommandSet, d.CommandSetReported = CommandSet(id[0]), true
		}
	}
	return nil
}

func (d *NamespaceDescriptors) encode(raw []byte) {
	put := func(kind byte, id []byte) {
		raw[0], raw[1] = kind, byte(len(id))
		raw = raw[4+copy(raw[4:], id):]
	}
	if d.EUI64 != (EUI64{}) {
		put(1, d.EUI64[:])
	}
	if d.NGUID != (NGUID{}) {
		put(2, d.NGUID[:])
	}
	if d.UUID != (UUID{}) {
		put(3, d.UUID[:])
	}
	if d.CommandSetReported {
		put(4, []byte{byte(d.CommandSet)})
	}
}

// CommandSet is a command set identifier (CSI).
type CommandSet uint8

// Command sets.
const (
	NVMCommandSet      CommandSet = 0
	KeyValueCommandSet CommandSet = 1
	ZonedCommandSet    CommandSet = 2
)

// String names the command set.
func (s CommandSet) String() string {
	switch s {
	case NVMCommandSet:
		return "NVM"
	case KeyValueCommandSet:
		return "key value"
	case ZonedCommandSet:
		return "zoned namespace"
	}
	return fmt.Sprintf("command set %02Xh", uint8(s))
}

// CommandSetCombinations is the Identify I/O Command Set data structure (CNS
// 1Ch): NVMe Base 2.0, 5.17.2.18. Each of the 512 is a vector of the command
// sets that can be enabled together, a bit for each [CommandSet].
type CommandSetCombinations [512]uint64

func (*CommandSetCombinations) size() int { return 4096 }

func (c *CommandSetCombinations) walk(w *wire.Walker) {
	for i := range c {
		wire.U64(w, 8*i, &c[i])
	}
}

// UUIDList is the list of UUIDs that a UUID index counts in (CNS 17h): NVMe
// Base 2.0, 5.17.2.15. Entry 0 has index 1.
type UUIDList []UUIDEntry

// UUIDEntry is an entry of a [UUIDList].
type UUIDEntry struct {
	Association uint8 `json:"association"` // 1 is the PCI vendor's, 2 the PCI subsystem vendor's; 0 is neither
	UUID        UUID  `json:"uuid"`
}

func (*UUIDList) size() int { return 4096 }

func (l *UUIDList) walk(w *wire.Walker) {
	raw := w.Area(0, 4096, l)
	switch {
	case w.Decoding():
		*l = nil
		for i := range 127 {
			entry := raw[32+32*i:][:32]
			id := UUID(entry[16:])
			if id == (UUID{}) {
				return
			}
			*l = append(*l, UUIDEntry{entry[0] & 3, id})
		}
	case w.Encoding():
		if len(*l) > 127 {
			w.Failf("%d UUIDs, want at most 127", len(*l))
			return
		}
		for i, e := range *l {
			entry := raw[32+32*i:][:32]
			entry[0] = e.Association & 3
			copy(entry[16:], e.UUID[:])
		}
	}
}

// Index returns the UUID index that chooses id, or 0 if the list lacks it.
func (l UUIDList) Index(id UUID) uint8 {
	return uint8(slices.IndexFunc(l, func(e UUIDEntry) bool { return e.UUID == id }) + 1)
}

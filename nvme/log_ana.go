package nvme

import (
	"encoding/binary"
	"fmt"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// ANALog is the Asymmetric Namespace Access log (0Ch): NVMe Base 2.0,
// 5.16.1.13.
type ANALog struct {
	ChangeCount uint64
	Groups      []ANAGroup
}

// ANAGroup is an ANA Group Descriptor.
type ANAGroup struct {
	ID          uint32
	ChangeCount uint64
	State       ANAState
	Namespaces  []uint32 // NSIDs; empty if the log was read without
}

// ANAState is an asymmetric namespace access state.
type ANAState uint8

// ANA states.
const (
	ANAOptimized      ANAState = 0x1
	ANANonOptimized   ANAState = 0x2
	ANAInaccessible   ANAState = 0x3
	ANAPersistentLoss ANAState = 0x4
	ANAChange         ANAState = 0xf
)

// String names the state.
func (s ANAState) String() string {
	switch s {
	case ANAOptimized:
		return "optimized"
	case ANANonOptimized:
		return "non-optimized"
	case ANAInaccessible:
		return "inaccessible"
	case ANAPersistentLoss:
		return "persistent-loss"
	case ANAChange:
		return "change"
	}
	return fmt.Sprintf("ANA state %Xh", uint8(s))
}

// DecodeANALog decodes a log page.
func DecodeANALog(b []byte) (*ANALog, error) {
	short := func(what string) error { return &DecodeError{"ANALog", fmt.Sprintf("%s reaches past the page", what)} }
	if len(b) < 16 {
		return nil, short("the header")
	}
	l := &ANALog{ChangeCount: binary.LittleEndian.Uint64(b)}
	n := int(binary.LittleEndian.Uint16(b[8:]))
	b = b[16:]
	for i := range n {
		if len(b) < 32 {
			return nil, short(fmt.Sprintf("group %d of %d", i, n))
		}
		g := ANAGroup{
			ID:          binary.LittleEndian.Uint32(b),
			ChangeCount: binary.LittleEndian.Uint64(b[8:]),
			State:       ANAState(b[16] & 0xf),
		}
		count := binary.LittleEndian.Uint32(b[4:])
		b = b[32:]
		if uint64(count)*4 > uint64(len(b)) {
			return nil, short(fmt.Sprintf("the list of %d namespaces of group %d", count, g.ID))
		}
		for range count {
			g.Namespaces = append(g.Namespaces, binary.LittleEndian.Uint32(b))
			b = b[4:]
		}
		l.Groups = append(l.Groups, g)
	}
	return l, nil
}

// ReservationNotification is the Reservation Notification log (80h): NVMe Base
// 2.0, 5.16.1.24.
type ReservationNotification struct {
	Count     uint64 `json:"count"`       // of log pages; 0 is an empty one
	Type      uint8  `json:"rn_log_type"` // 0 empty, 1 registration preempted, 2 reservation released, 3 reservation preempted
	Available uint8  `json:"num_logs"`    // more log pages to be read
	NSID      uint32 `json:"nsid"`
}

func (*ReservationNotification) size() int { return 64 }

func (n *ReservationNotification) walk(w *wire.Walker) {
	wire.U64(w, 0, &n.Count)
	wire.U8(w, 8, &n.Type)
	wire.U8(w, 9, &n.Available)
	w.Reserved(10, 2)
	wire.U32(w, 12, &n.NSID)
	w.Reserved(16, 48)
}

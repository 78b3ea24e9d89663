package nvme

import (
	"fmt"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// PersistentEventHeader heads the Persistent Event Log (0Dh): NVMe Base 2.0,
// 5.16.1.14.
type PersistentEventHeader struct {
	LogPage              uint8     `json:"log_id"`
	EventCount           uint32    `json:"total_num_of_events"` // TNEV
	LogLength            uint64    `json:"total_log_len"`       // TLL: bytes, header included
	Revision             uint8     `json:"log_revision"`
	HeaderLength         uint16    `json:"log_header_len"` // LHL: bytes, less the first 20
	Timestamp            Timestamp `json:"timestamp"`
	PowerOnHours         Uint128   `json:"power_on_hours"`
	PowerCycles          uint64    `json:"power_cycle_count"`
	PCIVendorID          uint16    `json:"pci_vid"`
	PCISubsystemVendorID uint16    `json:"pci_ssvid"`
	SerialNumber         string    `json:"sn"`
	ModelNumber          string    `json:"mn"`
	SubsystemNQN         string    `json:"subnqn"`
	Generation           uint16    `json:"gen_number"`
	ReportingContext     uint32    `json:"rci"` // RCI
	Supported            [32]byte  `json:"-"`   // a bit per event type
}

// Supports reports whether the drive records events of type t.
func (h *PersistentEventHeader) Supports(t EventType) bool { return h.Supported[t/8]&(1<<(t%8)) != 0 }

func (*PersistentEventHeader) size() int { return 512 }

func (h *PersistentEventHeader) walk(w *wire.Walker) {
	wire.U8(w, 0, &h.LogPage)
	w.Reserved(1, 3)
	wire.U32(w, 4, &h.EventCount)
	wire.U64(w, 8, &h.LogLength)
	wire.U8(w, 16, &h.Revision)
	w.Reserved(17, 1)
	wire.U16(w, 18, &h.HeaderLength)
	nested(w, 20, &h.Timestamp)
	wire.U128(w, 28, &h.PowerOnHours)
	wire.U64(w, 44, &h.PowerCycles)
	wire.U16(w, 52, &h.PCIVendorID)
	wire.U16(w, 54, &h.PCISubsystemVendorID)
	w.Text(56, 20, &h.SerialNumber)
	w.Text(76, 40, &h.ModelNumber)
	w.UTF8(116, 256, &h.SubsystemNQN)
	wire.U16(w, 372, &h.Generation)
	wire.U32(w, 374, &h.ReportingContext)
	w.Reserved(378, 102)
	w.Bytes(480, h.Supported[:])
}

// EventHeader heads an event of the persistent event log.
type EventHeader struct {
	Type           EventType `json:"-"`
	Revision       uint8     `json:"event_type_rev"`
	HeaderLength   uint8     `json:"event_header_len"`             // EHL: bytes, less the first 3
	AdditionalInfo uint8     `json:"event_header_additional_info"` // EHAI
	ControllerID   uint16    `json:"ctrl_id"`
	Timestamp      Timestamp `json:"event_time_stamp"`
	Port           uint16    `json:"port_id"`     // PELPID
	VendorLength   uint16    `json:"vu_info_len"` // VSIL: bytes
	EventLength    uint16    `json:"event_len"`   // EL: bytes, vendor's information included
}

func (*EventHeader) size() int { return 24 }

func (h *EventHeader) walk(w *wire.Walker) {
	wire.U8(w, 0, &h.Type)
	wire.U8(w, 1, &h.Revision)
	wire.U8(w, 2, &h.HeaderLength)
	wire.U8(w, 3, &h.AdditionalInfo)
	wire.U16(w, 4, &h.ControllerID)
	nested(w, 6, &h.Timestamp)
	wire.U16(w, 14, &h.Port)
	w.Reserved(16, 4)
	wire.U16(w, 20, &h.VendorLength)
	wire.U16(w, 22, &h.EventLength)
}

// Event is an event of the persistent event log.
type Event struct {
	EventHeader
	Vendor []byte `json:"-"` // the vendor's information
	Data   []byte `json:"-"` // what Type says: give it to Decode, or to Detail
}

// PersistentEventLog is the persistent event log as it was read. The newest
// event is the first.
type PersistentEventLog struct {
	Header PersistentEventHeader
	Events []Event
}

// DecodePersistentEventLog decodes a whole log page. The events share b.
func DecodePersistentEventLog(b []byte) (*PersistentEventLog, error) {
	l := new(PersistentEventLog)
	if err := Decode(b, &l.Header); err != nil {
		return nil, err
	}
	if n := l.Header.LogLength; n >= uint64(l.Header.size()) && n < uint64(len(b)) {
		b = b[:n]
	}
	b = b[l.Header.size():]
	for i := range l.Header.EventCount {
		e, rest, err := decodeEvent(b)
		if err != nil {
			return nil, &DecodeError{"PersistentEventLog", fmt.Sprintf("event %d of %d: %v", i, l.Header.EventCount, err)}
		}
		l.Events, b = append(l.Events, e), rest
	}
	return l, nil
}

func decodeEvent(b []byte) (e Event, rest []byte, err error) {
	if err := Decode(b, &e.EventHeader); err != nil {
		return e, nil, err
	}
	from := int(e.HeaderLength) + 3
	vendor := from + int(e.VendorLength)
	to := from + int(e.EventLength)
	if from < e.size() || vendor > to || to > len(b) {
		return e, nil, fmt.Errorf("header of %d, vendor information of %d, event of %d bytes in the %d that remain",
			from, e.VendorLength, e.EventLength, len(b))
	}
	e.Vendor, e.Data = b[from:vendor:vendor], b[vendor:to:to]
	return e, b[to:], nil
}

// AppendEvent appends an event to a log page that begins with a
// [PersistentEventHeader], which it does not change. The lengths in the header
// follow from Vendor and Data.
func AppendEvent(page []byte, e Event) ([]byte, error) {
	if n := len(e.Vendor) + len(e.Data); n > 0xffff {
		return nil, &ArgumentError{"append event", "length of Vendor and Data", n, "at most 65535"}
	}
	e.HeaderLength = uint8(e.size() - 3)
	e.VendorLength = uint16(len(e.Vendor))
	e.EventLength = uint16(len(e.Vendor) + len(e.Data))
	head, err := Encode(&e.EventHeader)
	if err != nil {
		return nil, err
	}
	page = append(page, head...)
	page = append(page, e.Vendor...)
	return append(page, e.Data...), nil
}

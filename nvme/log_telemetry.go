package nvme

import "github.com/drivebay/drivebay/nvme/internal/wire"

// TelemetryBlock is the size in bytes of a block of a telemetry log.
const TelemetryBlock = 512

// TelemetryHeader is the first block of a Telemetry Host-Initiated (07h) or
// Controller-Initiated (08h) log: NVMe Base 2.0, 5.16.1.8 and 5.16.1.9.
type TelemetryHeader struct {
	LogPage              uint8     `json:"lpi"`       // the log identifier, 07h or 08h
	OUI                  uint32    `json:"ieee"`      // 24 bits
	LastBlock            [3]uint16 `json:"-"`         // of data areas 1 to 3; 0 is an empty area
	LastBlock4           uint32    `json:"-"`         // of data area 4
	HostGeneration       uint8     `json:"hostdgn"`   // of host-initiated data (log 07h)
	ControllerAvailable  uint8     `json:"ctrlavail"` // bit 0: there is controller-initiated data
	ControllerGeneration uint8     `json:"ctrldgn"`   // of controller-initiated data
	Reason               [128]byte `json:"-"`         // why the data was captured, as the vendor says it
}

func (*TelemetryHeader) size() int { return 512 }

func (h *TelemetryHeader) walk(w *wire.Walker) {
	wire.U8(w, 0, &h.LogPage)
	w.Reserved(1, 4)
	wire.U24(w, 5, &h.OUI)
	for i := range h.LastBlock {
		wire.U16(w, 8+2*i, &h.LastBlock[i])
	}
	w.Reserved(14, 2)
	wire.U32(w, 16, &h.LastBlock4)
	w.Reserved(20, 361)
	wire.U8(w, 381, &h.HostGeneration)
	wire.U8(w, 382, &h.ControllerAvailable)
	wire.U8(w, 383, &h.ControllerGeneration)
	w.Bytes(384, h.Reason[:])
}

// Through returns how many bytes the log has up to the end of data area 1 to 4,
// the header included. Areas build upon each other: each begins where the one
// before ends.
func (h *TelemetryHeader) Through(area int) int64 {
	last := int64(0)
	for i := range min(area, 3) {
		last = max(last, int64(h.LastBlock[i]))
	}
	if area > 3 {
		last = max(last, int64(h.LastBlock4))
	}
	return (last + 1) * TelemetryBlock
}

// TelemetryLog is a telemetry log as it was read.
type TelemetryLog struct {
	Header TelemetryHeader
	Bytes  []byte // the whole, header included, as far as it was asked for
}

// Area returns what was read of data area 1 to 4. It shares Bytes.
func (l *TelemetryLog) Area(area int) []byte {
	if area < 1 || area > 4 {
		return nil
	}
	size := int64(len(l.Bytes))
	from, to := min(l.Header.Through(area-1), size), min(l.Header.Through(area), size)
	return l.Bytes[from:to]
}

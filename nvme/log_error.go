package nvme

import "github.com/drivebay/drivebay/nvme/internal/wire"

// ErrorLogEntry is an entry of the Error Information log (01h): NVMe Base 2.0,
// 5.16.1.2. An entry with an ErrorCount of 0 is not used.
type ErrorLogEntry struct {
	ErrorCount        uint64 `json:"error_count"`         // a unique number of the error
	SQID              uint16 `json:"sqid"`                // FFFFh: not of one submission queue
	CommandID         uint16 `json:"cmdid"`               // FFFFh: not of one command
	StatusField       uint16 `json:"-"`                   // Status in bits 15:1, phase tag in bit 0
	ParameterLocation uint16 `json:"parm_error_location"` // bits 7:0 byte, 10:8 bit; FFFFh: not of one field
	LBA               uint64 `json:"lba"`                 // the first with an error
	NSID              uint32 `json:"nsid"`
	VendorLog         uint8  `json:"vs"`     // a log page with more; 0 is none
	TransportType     uint8  `json:"trtype"` // TRTYPE
	CommandSpecific   uint64 `json:"cs"`
	TransportSpecific uint16 `json:"trtype_spec_info"`
}

func (*ErrorLogEntry) size() int { return 64 }

func (e *ErrorLogEntry) walk(w *wire.Walker) {
	wire.U64(w, 0, &e.ErrorCount)
	wire.U16(w, 8, &e.SQID)
	wire.U16(w, 10, &e.CommandID)
	wire.U16(w, 12, &e.StatusField)
	wire.U16(w, 14, &e.ParameterLocation)
	wire.U64(w, 16, &e.LBA)
	wire.U32(w, 24, &e.NSID)
	wire.U8(w, 28, &e.VendorLog)
	wire.U8(w, 29, &e.TransportType)
	w.Reserved(30, 2)
	wire.U64(w, 32, &e.CommandSpecific)
	wire.U16(w, 40, &e.TransportSpecific)
	w.Reserved(42, 22)
}

// Status returns the status of the command that completed with the error.
func (e *ErrorLogEntry) Status() Status { return Status(e.StatusField >> 1) }

// FirmwareSlotLog is the Firmware Slot Information log (03h): NVMe Base 2.0,
// 5.16.1.4.
type FirmwareSlotLog struct {
	ActiveInfo uint8     // AFI: see Active, Next
	Revisions  [7]string // FRS1 to FRS7, padding removed; empty for an empty slot
}

func (*FirmwareSlotLog) size() int { return 512 }

func (l *FirmwareSlotLog) walk(w *wire.Walker) {
	wire.U8(w, 0, &l.ActiveInfo)
	w.Reserved(1, 7)
	for i := range l.Revisions {
		// NB: an empty slot is zeros rather than spaces.
		if off := 8 + 8*i; w.Encoding() && l.Revisions[i] == "" {
			w.Reserved(off, 8)
		} else {
			w.Text(off, 8, &l.Revisions[i])
		}
	}
	w.Reserved(64, 448)
}

// Active returns the slot, 1 to 7, whose firmware runs.
func (l *FirmwareSlotLog) Active() int { return int(l.ActiveInfo & 7) }

// Next returns the slot, 1 to 7, whose firmware will run after the next
// controller level reset; 0 if the drive does not say.
func (l *FirmwareSlotLog) Next() int { return int(l.ActiveInfo >> 4 & 7) }

// Revision returns the firmware revision in slot 1 to 7, or "" for none and
// for a slot that does not exist.
func (l *FirmwareSlotLog) Revision(slot int) string {
	if slot < 1 || slot > len(l.Revisions) {
		return ""
	}
	return l.Revisions[slot-1]
}

// SanitizeLog is the Sanitize Status log (81h): NVMe Base 2.0, 5.16.1.25.
// The estimates are in seconds; FFFFFFFFh is none reported.
type SanitizeLog struct {
	Progress                 uint16 `json:"sprog"`                        // SPROG: of 65536; FFFFh unless a sanitize is in progress
	StatusField              uint16 `json:"-"`                            // SSTAT: see State
	CDW10                    uint32 `json:"cdw10_info"`                   // SCDW10: of the last sanitize started
	OverwriteTime            uint32 `json:"time_over_write"`              // ETO
	BlockEraseTime           uint32 `json:"time_block_erase"`             // ETBE
	CryptoEraseTime          uint32 `json:"time_crypto_erase"`            // ETCE
	OverwriteTimeNoDealloc   uint32 `json:"time_over_write_no_dealloc"`   // ETOND: with No-Deallocate After Sanitize
	BlockEraseTimeNoDealloc  uint32 `json:"time_block_erase_no_dealloc"`  // ETBEND
	CryptoEraseTimeNoDealloc uint32 `json:"time_crypto_erase_no_dealloc"` // ETCEND
}

func (*SanitizeLog) size() int { return 512 }

func (l *SanitizeLog) walk(w *wire.Walker) {
	wire.U16(w, 0, &l.Progress)
	wire.U16(w, 2, &l.StatusField)
	wire.U32(w, 4, &l.CDW10)
	wire.U32(w, 8, &l.OverwriteTime)
	wire.U32(w, 12, &l.BlockEraseTime)
	wire.U32(w, 16, &l.CryptoEraseTime)
	wire.U32(w, 20, &l.OverwriteTimeNoDealloc)
	wire.U32(w, 24, &l.BlockEraseTimeNoDealloc)
	wire.U32(w, 28, &l.CryptoEraseTimeNoDealloc)
	w.Reserved(32, 480)
}

// State returns what became of the last sanitize.
func (l *SanitizeLog) State() SanitizeState { return SanitizeState(l.StatusField & 7) }

// Passes returns how many passes of an overwrite are completed.
func (l *SanitizeLog) Passes() int { return int(l.StatusField >> 3 & 0x1f) }

// Erased reports "Global Data Erased": since it was made, or else since the
// last successful sanitize, the drive has not been written to.
func (l *SanitizeLog) Erased() bool { return l.StatusField&(1<<8) != 0 }

// SanitizeState is the status of the last sanitize operation.
type SanitizeState uint8

// Sanitize states.
const (
	NeverSanitized     SanitizeState = 0
	Sanitized          SanitizeState = 1
	Sanitizing         SanitizeState = 2 // in progress
	SanitizeFailed     SanitizeState = 3
	SanitizedNoDealloc SanitizeState = 4 // done, deallocated although No-Deallocate was asked for
)

// String names the state.
func (s SanitizeState) String() string {
	switch s {
	case NeverSanitized:
		return "never sanitized"
	case Sanitized:
		return "sanitized"
	case Sanitizing:
		return "in progress"
	case SanitizeFailed:
		return "failed"
	case SanitizedNoDealloc:
		return "sanitized, but deallocated"
	}
	return "reserved"
}

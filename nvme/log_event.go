package nvme

import (
	"fmt"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// EventType is the type of a persistent event.
type EventType uint8

// Event types.
const (
	EventSMARTSnapshot      EventType = 0x01 // data is a SMARTLog
	EventFirmwareCommit     EventType = 0x02 // FirmwareCommitEvent
	EventTimestampChange    EventType = 0x03 // TimestampChangeEvent
	EventPowerOnOrReset     EventType = 0x04 // PowerOnEvent
	EventHardwareError      EventType = 0x05 // HardwareErrorEvent
	EventChangeNamespace    EventType = 0x06 // ChangeNamespaceEvent
	EventFormatStart        EventType = 0x07 // FormatStartEvent
	EventFormatCompletion   EventType = 0x08 // FormatCompletionEvent
	EventSanitizeStart      EventType = 0x09 // SanitizeStartEvent
	EventSanitizeCompletion EventType = 0x0a // SanitizeCompletionEvent
	EventSetFeature         EventType = 0x0b // layout, command dwords, and what was written
	EventTelemetryCreated   EventType = 0x0c // data is a TelemetryHeader
	EventThermalExcursion   EventType = 0x0d // ThermalExcursionEvent
	EventVendor             EventType = 0xde
	EventTCG                EventType = 0xdf
)

var eventNames = map[EventType]string{
	EventSMARTSnapshot:      "SMART/Health Log Snapshot",
	EventFirmwareCommit:     "Firmware Commit",
	EventTimestampChange:    "Timestamp Change",
	EventPowerOnOrReset:     "Power-on or Reset",
	EventHardwareError:      "NVM Subsystem Hardware Error",
	EventChangeNamespace:    "Change Namespace",
	EventFormatStart:        "Format NVM Start",
	EventFormatCompletion:   "Format NVM Completion",
	EventSanitizeStart:      "Sanitize Start",
	EventSanitizeCompletion: "Sanitize Completion",
	EventSetFeature:         "Set Feature",
	EventTelemetryCreated:   "Telemetry Log Create",
	EventThermalExcursion:   "Thermal Excursion",
	EventVendor:             "Vendor Specific",
	EventTCG:                "TCG Defined",
}

// String names the type.
func (t EventType) String() string {
	if name, ok := eventNames[t]; ok {
		return name
	}
	return fmt.Sprintf("event type %02Xh", uint8(t))
}

// Detail decodes Data by the event's type. It returns nil where this package
// knows no structure for the type.
func (e *Event) Detail() (Structure, error) {
	if e.Type == EventPowerOnOrReset {
		return decodePowerOn(e.Data)
	}
	s := map[EventType]Structure{
		EventSMARTSnapshot:      new(SMARTLog),
		EventFirmwareCommit:     new(FirmwareCommitEvent),
		EventTimestampChange:    new(TimestampChangeEvent),
		EventHardwareError:      new(HardwareErrorEvent),
		EventChangeNamespace:    new(ChangeNamespaceEvent),
		EventFormatStart:        new(FormatStartEvent),
		EventFormatCompletion:   new(FormatCompletionEvent),
		EventSanitizeStart:      new(SanitizeStartEvent),
		EventSanitizeCompletion: new(SanitizeCompletionEvent),
		EventTelemetryCreated:   new(TelemetryHeader),
		EventThermalExcursion:   new(ThermalExcursionEvent),
	}[e.Type]
	if s == nil {
		return nil, nil
	}
	if err := Decode(e.Data, s); err != nil {
		return nil, err
	}
	return s, nil
}

// FirmwareCommitEvent records a firmware commit.
type FirmwareCommitEvent struct {
	OldRevision string               `json:"old_fw_rev"`
	NewRevision string               `json:"new_fw_rev"`
	Action      FirmwareCommitAction `json:"fw_commit_action"`
	Slot        uint8                `json:"fw_slot"`
	StatusType  uint8                `json:"sct_fw"`                 // SCT of the commit
	StatusCode  uint8                `json:"sc_fw"`                  // SC of the commit
	VendorCode  uint16               `json:"vu_assign_fw_commit_rc"` // the vendor's result
}

func (*FirmwareCommitEvent) size() int { return 22 }

func (e *FirmwareCommitEvent) walk(w *wire.Walker) {
	w.Text(0, 8, &e.OldRevision)
	w.Text(8, 8, &e.NewRevision)
	wire.U8(w, 16, &e.Action)
	wire.U8(w, 17, &e.Slot)
	wire.U8(w, 18, &e.StatusType)
	wire.U8(w, 19, &e.StatusCode)
	wire.U16(w, 20, &e.VendorCode)
}

// TimestampChangeEvent records a change of the Timestamp feature.
type TimestampChangeEvent struct {
	Previous     Timestamp `json:"prev_ts"`
	Milliseconds uint64    `json:"ml_secs_since_reset"` // since the last reset
}

func (*TimestampChangeEvent) size() int { return 16 }

func (e *TimestampChangeEvent) walk(w *wire.Walker) {
	nested(w, 0, &e.Previous)
	wire.U64(w, 8, &e.Milliseconds)
}

// PowerOnEvent records a power on or reset.
type PowerOnEvent struct {
	FirmwareRevision string            `json:"fw_rev"`
	Controllers      []ControllerReset `json:"controllers"`
}

// ControllerReset is what a [PowerOnEvent] says of one controller.
type ControllerReset struct {
	ControllerID       uint16    `json:"ctrl_id"`
	FirmwareActivation uint8     `json:"fw_act"`
	InProgress         uint8     `json:"op_in_prog"`       // operations that were in progress
	PowerCycles        uint32    `json:"ctrl_power_cycle"` // of the controller
	PowerOnTime        uint64    `json:"power_on_ml_secs"` // milliseconds
	Timestamp          Timestamp `json:"ctrl_time_stamp"`
}

func (*ControllerReset) size() int { return 36 }

func (r *ControllerReset) walk(w *wire.Walker) {
	wire.U16(w, 0, &r.ControllerID)
	wire.U8(w, 2, &r.FirmwareActivation)
	wire.U8(w, 3, &r.InProgress)
	w.Reserved(4, 12)
	wire.U32(w, 16, &r.PowerCycles)
	wire.U64(w, 20, &r.PowerOnTime)
	nested(w, 28, &r.Timestamp)
}

func (e *PowerOnEvent) size() int { return 8 + 36*len(e.Controllers) }

func (e *PowerOnEvent) walk(w *wire.Walker) {
	w.Text(0, 8, &e.FirmwareRevision)
	for i := range e.Controllers {
		nested(w, 8+36*i, &e.Controllers[i])
	}
}

func decodePowerOn(b []byte) (Structure, error) {
	e := new(PowerOnEvent)
	if n := (len(b) - e.size()) / 36; n > 0 {
		e.Controllers = make([]ControllerReset, n)
	}
	if err := Decode(b, e); err != nil {
		return nil, err
	}
	return e, nil
}

// HardwareErrorEvent records a hardware error of the NVM subsystem.
type HardwareErrorEvent struct {
	Code uint16 `json:"nss_hw_err_code"` // what follows in the event's data depends on it
}

func (*HardwareErrorEvent) size() int { return 4 }

func (e *HardwareErrorEvent) walk(w *wire.Walker) {
	wire.U16(w, 0, &e.Code)
	w.Reserved(2, 2)
}

// ChangeNamespaceEvent records a Namespace Management command.
type ChangeNamespaceEvent struct {
	CDW10            uint32 `json:"nsmgt_cdw10"` // of the command: create or delete
	Size             uint64 `json:"nsze"`        // logical blocks
	Capacity         uint64 `json:"nscap"`       // logical blocks
	FormattedLBASize uint8  `json:"flbas"`
	Protection       uint8  `json:"dps"`
	MultiPath        uint8  `json:"nmic"`
	ANAGroupID       uint32 `json:"ana_grp_id"`
	NVMSetID         uint16 `json:"nvmset_id"`
	NSID             uint32 `json:"nsid"`
}

func (*ChangeNamespaceEvent) size() int { return 48 }

func (e *ChangeNamespaceEvent) walk(w *wire.Walker) {
	wire.U32(w, 0, &e.CDW10)
	w.Reserved(4, 4)
	wire.U64(w, 8, &e.Size)
	w.Reserved(16, 8)
	wire.U64(w, 24, &e.Capacity)
	wire.U8(w, 32, &e.FormattedLBASize)
	wire.U8(w, 33, &e.Protection)
	wire.U8(w, 34, &e.MultiPath)
	w.Reserved(35, 1)
	wire.U32(w, 36, &e.ANAGroupID)
	wire.U16(w, 40, &e.NVMSetID)
	w.Reserved(42, 2)
	wire.U32(w, 44, &e.NSID)
}

// FormatStartEvent records the start of a Format NVM.
type FormatStartEvent struct {
	NSID       uint32           `json:"nsid"`
	Attributes FormatAttributes `json:"fna"`
	CDW10      uint32           `json:"format_nvm_cdw10"` // of the command
}

func (*FormatStartEvent) size() int { return 12 }

func (e *FormatStartEvent) walk(w *wire.Walker) {
	wire.U32(w, 0, &e.NSID)
	wire.U8(w, 4, &e.Attributes)
	w.Reserved(5, 3)
	wire.U32(w, 8, &e.CDW10)
}

// FormatCompletionEvent records the end of a Format NVM.
type FormatCompletionEvent struct {
	NSID           uint32 `json:"nsid"`
	SmallestFPI    uint8  `json:"smallest_fpi"` // the smallest format progress indicator seen
	FormatStatus   uint8  `json:"format_nvm_status"`
	CompletionInfo uint16 `json:"compln_info"` // the vendor's
	StatusField    uint32 `json:"status_field"`
}

func (*FormatCompletionEvent) size() int { return 12 }

func (e *FormatCompletionEvent) walk(w *wire.Walker) {
	wire.U32(w, 0, &e.NSID)
	wire.U8(w, 4, &e.SmallestFPI)
	wire.U8(w, 5, &e.FormatStatus)
	wire.U16(w, 6, &e.CompletionInfo)
	wire.U32(w, 8, &e.StatusField)
}

// SanitizeStartEvent records the start of a sanitize.
type SanitizeStartEvent struct {
	Capabilities SanitizeCapabilities `json:"SANICAP"`
	CDW10        uint32               `json:"sani_cdw10"` // of the command
	CDW11        uint32               `json:"sani_cdw11"` // of the command
}

func (*SanitizeStartEvent) size() int { return 12 }

func (e *SanitizeStartEvent) walk(w *wire.Walker) {
	wire.U32(w, 0, &e.Capabilities)
	wire.U32(w, 4, &e.CDW10)
	wire.U32(w, 8, &e.CDW11)
}

// SanitizeCompletionEvent records the end of a sanitize.
type SanitizeCompletionEvent struct {
	Progress       uint16 `json:"sani_prog"`   // as in SanitizeLog
	Status         uint16 `json:"sani_status"` // as in SanitizeLog
	CompletionInfo uint16 `json:"cmpln_info"`  // the vendor's
}

func (*SanitizeCompletionEvent) size() int { return 8 }

func (e *SanitizeCompletionEvent) walk(w *wire.Walker) {
	wire.U16(w, 0, &e.Progress)
	wire.U16(w, 2, &e.Status)
	wire.U16(w, 4, &e.CompletionInfo)
	w.Reserved(6, 2)
}

// ThermalExcursionEvent records a temperature that went past a threshold, or
// came back.
type ThermalExcursionEvent struct {
	OverTemperature uint8 `json:"over_temp"` // kelvins above the threshold
	Threshold       uint8 `json:"threshold"`
}

func (*ThermalExcursionEvent) size() int { return 2 }

func (e *ThermalExcursionEvent) walk(w *wire.Walker) {
	wire.U8(w, 0, &e.OverTemperature)
	wire.U8(w, 1, &e.Threshold)
}

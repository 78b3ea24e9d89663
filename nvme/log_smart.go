package nvme

import (
	"time"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// SMARTLog is the SMART / Health Information log (02h): NVMe Base 2.0,
// 5.16.1.3. The counters live as long as the drive.
type SMARTLog struct {
	CriticalWarning       CriticalWarning `json:"critical_warning"`
	Temperature           Temperature     `json:"temperature"`  // composite
	AvailableSpare        uint8           `json:"avail_spare"`  // percent
	SpareThreshold        uint8           `json:"spare_thresh"` // percent
	PercentageUsed        uint8           `json:"percent_used"` // of the rated life; may exceed 100, 255 is 255 or more
	EnduranceGroupWarning CriticalWarning `json:"endurance_grp_critical_warning_summary"`

	DataUnitsRead      Uint128 `json:"data_units_read"`    // 512,000 bytes each, rounded up
	DataUnitsWritten   Uint128 `json:"data_units_written"` // 512,000 bytes each, rounded up
	HostReadCommands   Uint128 `json:"host_read_commands"`
	HostWriteCommands  Uint128 `json:"host_write_commands"`
	ControllerBusyTime Uint128 `json:"controller_busy_time"` // minutes
	PowerCycles        Uint128 `json:"power_cycles"`
	PowerOnHours       Uint128 `json:"power_on_hours"` // may leave out non-operational power states
	UnsafeShutdowns    Uint128 `json:"unsafe_shutdowns"`
	MediaErrors        Uint128 `json:"media_errors"` // media and data integrity errors
	ErrorLogEntries    Uint128 `json:"num_err_log_entries"`
	WarningTempTime    uint32  `json:"warning_temp_time"`  // minutes at or above WCTEMP
	CriticalTempTime   uint32  `json:"critical_comp_time"` // minutes at or above CCTEMP

	Sensors [8]Temperature `json:"-"` // 0 is no sensor; JSON temperature_sensor_1 to 8, without those

	ThermalTransitions [2]uint32 `json:"-"` // to lower power by thermal management 1 and 2; JSON thm_temp1_trans_count, thm_temp2_trans_count
	ThermalTime        [2]uint32 `json:"-"` // seconds so; JSON thm_temp1_total_time, thm_temp2_total_time
}

// DataUnit is how many bytes DataUnitsRead and DataUnitsWritten count by: a
// thousand units of 512 bytes.
const DataUnit = 512_000

func (*SMARTLog) size() int { return 512 }

func (l *SMARTLog) walk(w *wire.Walker) {
	wire.U8(w, 0, &l.CriticalWarning)
	wire.U16(w, 1, &l.Temperature)
	wire.U8(w, 3, &l.AvailableSpare)
	wire.U8(w, 4, &l.SpareThreshold)
	wire.U8(w, 5, &l.PercentageUsed)
	wire.U8(w, 6, &l.EnduranceGroupWarning)
	w.Reserved(7, 25)
	wire.U128(w, 32, &l.DataUnitsRead)
	wire.U128(w, 48, &l.DataUnitsWritten)
	wire.U128(w, 64, &l.HostReadCommands)
	wire.U128(w, 80, &l.HostWriteCommands)
	wire.U128(w, 96, &l.ControllerBusyTime)
	wire.U128(w, 112, &l.PowerCycles)
	wire.U128(w, 128, &l.PowerOnHours)
	wire.U128(w, 144, &l.UnsafeShutdowns)
	wire.U128(w, 160, &l.MediaErrors)
	wire.U128(w, 176, &l.ErrorLogEntries)
	wire.U32(w, 192, &l.WarningTempTime)
	wire.U32(w, 196, &l.CriticalTempTime)
	for i := range l.Sensors {
		wire.U16(w, 200+2*i, &l.Sensors[i])
	}
	for i := range 2 {
		wire.U32(w, 216+4*i, &l.ThermalTransitions[i])
	}
	for i := range 2 {
		wire.U32(w, 224+4*i, &l.ThermalTime[i])
	}
	w.Reserved(232, 280)
}

// CriticalWarning are warnings for the controller's state.
type CriticalWarning uint8

// Bits of CriticalWarning.
const (
	WarnSpare        CriticalWarning = 1 << iota // available spare is below the threshold
	WarnTemperature                              // a temperature is past a threshold
	WarnReliability                              // reliability is degraded
	WarnReadOnly                                 // media is read-only
	WarnBackup                                   // the volatile memory backup has failed
	WarnPersistentMR                             // the persistent memory region is read-only or unreliable
)

// String names the bits.
func (c CriticalWarning) String() string {
	if c == 0 {
		return "none"
	}
	return flagText(uint64(c), "spare", "temperature", "reliability", "read-only", "backup", "pmr")
}

// EnduranceGroupLog is the Endurance Group Information log (09h), of the group
// that the log specific identifier names: NVMe Base 2.0, 5.16.1.10.
type EnduranceGroupLog struct {
	CriticalWarning CriticalWarning `json:"critical_warning"`
	AvailableSpare  uint8           `json:"avl_spare"`           // percent
	SpareThreshold  uint8           `json:"avl_spare_threshold"` // percent
	PercentageUsed  uint8           `json:"percent_used"`        // may exceed 100

	EnduranceEstimate Uint128 `json:"endurance_estimate"`  // units of 1e9 bytes
	DataUnitsRead     Uint128 `json:"data_units_read"`     // units of 1e9 bytes
	DataUnitsWritten  Uint128 `json:"data_units_written"`  // units of 1e9 bytes
	MediaUnitsWritten Uint128 `json:"media_units_written"` // units of 1e9 bytes
	HostReadCommands  Uint128 `json:"host_read_cmds"`
	HostWriteCommands Uint128 `json:"host_write_cmds"`
	MediaErrors       Uint128 `json:"media_data_integrity_err"`
	ErrorLogEntries   Uint128 `json:"num_err_info_log_entries"`
}

func (*EnduranceGroupLog) size() int { return 512 }

func (l *EnduranceGroupLog) walk(w *wire.Walker) {
	wire.U8(w, 0, &l.CriticalWarning)
	w.Reserved(1, 2)
	wire.U8(w, 3, &l.AvailableSpare)
	wire.U8(w, 4, &l.SpareThreshold)
	wire.U8(w, 5, &l.PercentageUsed)
	w.Reserved(6, 26)
	wire.U128(w, 32, &l.EnduranceEstimate)
	wire.U128(w, 48, &l.DataUnitsRead)
	wire.U128(w, 64, &l.DataUnitsWritten)
	wire.U128(w, 80, &l.MediaUnitsWritten)
	wire.U128(w, 96, &l.HostReadCommands)
	wire.U128(w, 112, &l.HostWriteCommands)
	wire.U128(w, 128, &l.MediaErrors)
	wire.U128(w, 144, &l.ErrorLogEntries)
	w.Reserved(160, 352)
}

// Timestamp is the Timestamp data structure: NVMe Base 2.0, 5.27.1.11. It is
// the value of the Timestamp feature, and part of some logs.
type Timestamp struct {
	Milliseconds uint64 `json:"timestamp"` // 48 bits; since 1970 if the host has set it, or else since a reset
	Attributes   uint8  `json:"attr"`      // bit 0 the count may have stopped, bits 3:1 origin
}

func (*Timestamp) size() int { return 8 }

func (t *Timestamp) walk(w *wire.Walker) {
	wire.U48(w, 0, &t.Milliseconds)
	wire.U8(w, 6, &t.Attributes)
	w.Reserved(7, 1)
}

// SetByHost reports whether the count's origin is the host's Set Features,
// rather than the controller's reset.
func (t Timestamp) SetByHost() bool { return t.Attributes>>1&7 == 1 }

// MayHaveStopped reports whether the count may have stopped for a while.
func (t Timestamp) MayHaveStopped() bool { return t.Attributes&1 != 0 }

// Time returns the time of day, which is meaningful only if SetByHost.
func (t Timestamp) Time() time.Time { return time.UnixMilli(int64(t.Milliseconds)).UTC() }

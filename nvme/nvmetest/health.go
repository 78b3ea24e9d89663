package nvmetest

import (
	"time"

	"github.com/drivebay/drivebay/nvme"
)

// health is what the SMART log counts.
type health struct {
	temperature     nvme.Temperature
	warning         nvme.CriticalWarning
	spare, used     uint8
	spareThreshold  uint8
	overTemperature bool

	reads, writes           uint64
	bytesRead, bytesWritten uint64
	powerOn                 time.Duration
	powerCycles             uint64
	unsafeShutdowns         uint64
	mediaErrors, errors     uint64
	warm, hot               time.Duration
}

const namespaceGranularity = 1 << 20 // bytes

func (h *health) init() {
	*h = health{temperature: 273 + 38, spare: 100, spareThreshold: 10, powerCycles: 1}
}

// run accounts for time with the power on.
func (h *health) run(d *Drive, by time.Duration) {
	h.powerOn += by
	id := &d.profile.Controller
	if t := id.WarningTemperature; t != 0 && h.temperature >= t {
		h.warm += by
	}
	if t := id.CriticalTemperature; t != 0 && h.temperature >= t {
		h.hot += by
	}
}

// count accounts for a command.
func (h *health) count(r *request, s nvme.Status) {
	if !s.Success() {
		h.errors++
		if s.SCT() == nvme.MediaStatus && s.Code() != nvme.StatusCompareFailure {
			h.mediaErrors++
		}
		return
	}
	if r.cmd.Queue != nvme.IOQueue {
		return
	}
	switch r.cmd.Opcode {
	case nvme.IORead, nvme.IOCompare:
		h.reads++
		h.bytesRead += uint64(len(r.cmd.Data))
	case nvme.IOWrite:
		h.writes++
		r.c.drive.sanitize.erased = false
		h.bytesWritten += uint64(len(r.cmd.Data))
	}
}

// log fills in the SMART log. A data unit is a thousand units of 512 bytes,
// rounded up.
func (h *health) log() *nvme.SMARTLog {
	count := func(n uint64) nvme.Uint128 { return nvme.Uint128{Lo: n} }
	units := func(bytes uint64) nvme.Uint128 { return count((bytes + nvme.DataUnit - 1) / nvme.DataUnit) }
	warning := h.warning
	if h.spare < h.spareThreshold {
		warning |= nvme.WarnSpare
	}
	if h.overTemperature {
		warning |= nvme.WarnTemperature
	}
	return &nvme.SMARTLog{
		CriticalWarning: warning, Temperature: h.temperature, AvailableSpare: h.spare,
		SpareThreshold: h.spareThreshold, PercentageUsed: h.used,
		DataUnitsRead: units(h.bytesRead), DataUnitsWritten: units(h.bytesWritten),
		HostReadCommands: count(h.reads), HostWriteCommands: count(h.writes),
		PowerCycles: count(h.powerCycles), PowerOnHours: count(uint64(h.powerOn / time.Hour)),
		UnsafeShutdowns: count(h.unsafeShutdowns), MediaErrors: count(h.mediaErrors), ErrorLogEntries: count(h.errors),
		WarningTempTime: uint32(h.warm / time.Minute), CriticalTempTime: uint32(h.hot / time.Minute),
		Sensors: [8]nvme.Temperature{h.temperature},
	}
}

// SetTemperature sets the composite temperature. Past a threshold, it raises a
// warning and its event; back within, the warning ends.
func (d *Drive) SetTemperature(t nvme.Temperature) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.health.temperature = t
	d.checkTemperature()
}

func (d *Drive) checkTemperature() {
	h, past := &d.health, false
	for _, c := range d.controllers {
		over, under := c.features.thresholds()
		if over != 0 && h.temperature >= over || under != 0 && h.temperature <= under {
			past = true
			if !h.overTemperature {
				c.post(EventTemperature)
			}
		}
	}
	h.overTemperature = past
}

// SetWarning sets critical warnings that the drive does not raise by itself, and
// posts the event of those that are new.
func (d *Drive) SetWarning(w nvme.CriticalWarning) {
	d.mu.Lock()
	defer d.mu.Unlock()
	raised := w &^ d.health.warning
	d.health.warning = w
	if raised&nvme.WarnSpare != 0 {
		d.notify(EventSpare)
	}
	if raised&(nvme.WarnReliability|nvme.WarnReadOnly|nvme.WarnBackup) != 0 {
		d.notify(EventReliability)
	}
}

// SetSpare sets the available spare in percent, and the life used up in
// percent, which may be above 100.
func (d *Drive) SetSpare(available, used uint8) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := &d.health
	before := h.spare < h.spareThreshold
	h.spare, h.used = available, used
	if !before && available < h.spareThreshold {
		d.notify(EventSpare)
	}
}

// errorLog is a controller's Error Information log.
type errorLog struct {
	entries []nvme.ErrorLogEntry // the newest first
	count   uint64
}

// add writes an entry for a command that failed, and returns its status with
// MORE set, as there is one.
func (l *errorLog) add(c *Controller, r *request, s nvme.Status) nvme.Status {
	limit := int(c.drive.profile.Controller.ErrorLogEntries) + 1
	// The controller itself never answers that the host has aborted.
	if s.Code() == nvme.StatusAbortedByHost || c.drive.profile.Quirks.NoErrorLog {
		return s
	}
	s = s.WithMore()
	l.count++
	location := r.location
	if location == 0 {
		location = 0xffff
	}
	e := nvme.ErrorLogEntry{ErrorCount: l.count, CommandID: 0xffff, StatusField: uint16(s) << 1,
		ParameterLocation: location, LBA: r.lba, NSID: r.cmd.NSID}
	if r.cmd.Queue == nvme.IOQueue {
		e.SQID = 1
	}
	if len(l.entries) < limit {
		l.entries = append(l.entries, nvme.ErrorLogEntry{})
	}
	copy(l.entries[1:], l.entries)
	l.entries[0] = e
	return s
}

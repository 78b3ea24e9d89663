package nvmetest

import (
	"slices"
	"time"

	"github.com/drivebay/drivebay/nvme"
)

// getLogPage carries out a Get Log Page: NVMe Base 2.0, 5.16. Beyond its end, a
// log page reads as zeros; an offset past the end is refused.
func getLogPage(r *request) nvme.Status {
	d, cmd := r.c.drive, &r.cmd
	id := nvme.LogPageID(cmd.CDW10)
	dwords := uint64(cmd.CDW10>>16|cmd.CDW11<<16) + 1
	offset := uint64(cmd.CDW12) | uint64(cmd.CDW13)<<32
	if d.profile.Controller.LogPages&nvme.SupportsExtendedData == 0 {
		dwords = uint64(cmd.CDW10>>16&0xfff) + 1
	}
	switch {
	case !d.hasLog(id) && d.profile.Quirks.LogIsInvalidField:
		return r.invalid(10, 0)
	case !d.hasLog(id):
		return r.locate(byteCDW10, 0, invalidLogPage)
	case uint64(len(cmd.Data)) != dwords*4:
		return invalidLength
	case cmd.CDW14&(1<<23) != 0: // no log of ours takes an index
		return r.invalid(14, 23)
	case offset%4 != 0:
		return r.invalid(12, 0)
	case cmd.CDW14>>24 != 0 && (id != nvme.LogCommandEffects || cmd.CDW14>>24 != uint32(nvme.NVMCommandSet)):
		return r.invalid(14, 24)
	}
	if s := r.checkLogNamespace(id); s != success {
		return s
	}
	page, s := r.logPage(id, cmd.CDW10>>8&0x7f, cmd.CDW11>>16)
	if s != success {
		return s
	}
	if offset > uint64(len(page)) {
		return r.invalid(12, 0)
	}
	clear(cmd.Data[copy(cmd.Data, page[offset:]):])
	if retain := cmd.CDW10&(1<<15) != 0; !retain {
		r.c.readLog(id)
	}
	return success
}

// readLog is what reading a log page does, unless RAE is set.
func (c *Controller) readLog(id nvme.LogPageID) {
	c.unmask(id)
	switch id {
	case nvme.LogChangedNamespaces:
		c.changed, c.overflow = nil, false
	case nvme.LogReservations:
		c.nextReservationNotice()
	}
}

// checkLogNamespace checks NSID: all logs but SMART are the controller's.
func (r *request) checkLogNamespace(id nvme.LogPageID) nvme.Status {
	nsid := r.cmd.NSID
	switch {
	case nsid == 0 || nsid == nvme.BroadcastNSID:
		return success
	case id == nvme.LogSMART && r.c.drive.profile.Controller.LogPages&nvme.SMARTPerNamespace != 0:
		return r.active()
	}
	return r.locate(byteNSID, 0, invalidField)
}

// hasLog reports whether the drive has a log page.
func (d *Drive) hasLog(id nvme.LogPageID) bool {
	switch id {
	case nvme.LogErrors, nvme.LogSMART, nvme.LogFirmwareSlots:
		return true
	}
	return slices.Contains(d.profile.LogPages, id)
}

// logPage makes up a log page. lsp and lsi are the log specific parameters.
func (r *request) logPage(id nvme.LogPageID, lsp, lsi uint32) ([]byte, nvme.Status) {
	c := r.c
	d := c.drive
	if lsi != 0 && id != nvme.LogEnduranceGroup {
		return nil, r.invalid(11, 16)
	}
	if lsp != 0 && id != nvme.LogTelemetryHost && id != nvme.LogPersistentEvents && (id != nvme.LogANA || lsp > 1) {
		return nil, r.invalid(10, 8)
	}
	switch id {
	case nvme.LogErrors:
		return c.errorPage(), success
	case nvme.LogANA:
		return c.anaPage(lsp&1 != 0), success
	case nvme.LogTelemetryHost, nvme.LogTelemetryController:
		return d.telemetry.page(r, id, lsp)
	case nvme.LogPersistentEvents:
		return d.persistent.page(r, lsp)
	case nvme.LogEnduranceGroup:
		if lsi != 1 {
			return nil, r.invalid(11, 16)
		}
	}
	return encode(c.logStructure(id)), success
}

// logStructure makes up a log page that is one structure.
func (c *Controller) logStructure(id nvme.LogPageID) nvme.Structure {
	d := c.drive
	switch id {
	case nvme.LogSMART:
		return d.health.log()
	case nvme.LogFirmwareSlots:
		return d.firmware.log()
	case nvme.LogChangedNamespaces:
		return c.changedList()
	case nvme.LogCommandEffects:
		return d.effects()
	case nvme.LogSelfTest:
		return c.selfTest.page(d.now)
	case nvme.LogEnduranceGroup:
		return d.enduranceGroup()
	case nvme.LogFeatureEffects:
		return c.featureEffects()
	case nvme.LogReservations:
		return c.reservationNotice()
	case nvme.LogSanitize:
		return d.sanitizeLog()
	}
	return d.supportedLogs()
}

func (c *Controller) errorPage() []byte {
	page := make([]byte, 64*(int(c.drive.profile.Controller.ErrorLogEntries)+1))
	for i := range c.errors.entries {
		copy(page[64*i:], encode(&c.errors.entries[i]))
	}
	return page
}

// changedList lists namespaces that have changed; with more than fit, it is the
// broadcast NSID alone.
func (c *Controller) changedList() *nvme.NamespaceList {
	if c.overflow {
		return &nvme.NamespaceList{nvme.BroadcastNSID}
	}
	slices.Sort(c.changed)
	list := nvme.NamespaceList(slices.Compact(c.changed))
	return &list
}

// namespaceChanged tells a controller of a change to one of its namespaces.
func (c *Controller) namespaceChanged(nsid uint32) {
	if !slices.Contains(c.changed, nsid) {
		c.changed = append(c.changed, nsid)
	}
	c.overflow = c.overflow || len(c.changed) > 1024
	c.post(EventNamespaceChanged)
}

func (d *Drive) effects() *nvme.CommandEffectsLog {
	log := new(nvme.CommandEffectsLog)
	for op := range 256 {
		if k := d.commands[nvme.AdminQueue][op]; k != nil {
			log.Admin[op] = k.effects
		}
		if k := d.commands[nvme.IOQueue][op]; k != nil {
			log.IO[op] = k.effects
		}
	}
	return log
}

func (c *Controller) featureEffects() *nvme.FeatureEffectsLog {
	log := new(nvme.FeatureEffectsLog)
	for id, f := range c.features.known {
		log[id] = nvme.EffectSupported
		if f.namespace {
			log[id] |= 1 << 20
		} else {
			log[id] |= 1 << 21
		}
	}
	return log
}

func (d *Drive) supportedLogs() *nvme.SupportedLogPages {
	log := new(nvme.SupportedLogPages)
	for id := range 256 {
		if d.hasLog(nvme.LogPageID(id)) {
			log[id] = 1
		}
	}
	return log
}

func (d *Drive) enduranceGroup() *nvme.EnduranceGroupLog {
	h := &d.health
	gb := func(bytes uint64) nvme.Uint128 { return nvme.Uint128{Lo: (bytes + 999_999_999) / 1_000_000_000} }
	return &nvme.EnduranceGroupLog{
		AvailableSpare: h.spare, SpareThreshold: h.spareThreshold, PercentageUsed: h.used,
		EnduranceEstimate: nvme.Uint128{Lo: 1_000_000}, DataUnitsRead: gb(h.bytesRead),
		DataUnitsWritten: gb(h.bytesWritten), MediaUnitsWritten: gb(h.bytesWritten),
		HostReadCommands: nvme.Uint128{Lo: h.reads}, HostWriteCommands: nvme.Uint128{Lo: h.writes},
		MediaErrors: nvme.Uint128{Lo: h.mediaErrors}, ErrorLogEntries: nvme.Uint128{Lo: h.errors},
	}
}

// telemetry holds the telemetry data that was captured.
type telemetry struct {
	host, controller []byte // blocks after the header
	hostGeneration   uint8
	generation       uint8
}

// Blocks of the telemetry data areas: 1 to 2, 1 to 4 and 1 to 8.
var telemetryAreas = [3]uint16{2, 4, 8}

// page makes up a telemetry log. LSP bit 0 captures host-initiated data.
func (t *telemetry) page(r *request, id nvme.LogPageID, lsp uint32) ([]byte, nvme.Status) {
	d := r.c.drive
	if lsp > 1 || lsp == 1 && id != nvme.LogTelemetryHost {
		return nil, r.invalid(10, 8)
	}
	if lsp == 1 {
		t.host = t.capture(d)
		t.hostGeneration++
	}
	head := &nvme.TelemetryHeader{LogPage: uint8(id), OUI: d.profile.Controller.OUI,
		HostGeneration: t.hostGeneration, ControllerGeneration: t.generation}
	data := t.host
	if id == nvme.LogTelemetryController {
		data = t.controller
	}
	if len(t.controller) > 0 {
		head.ControllerAvailable = 1
	}
	if len(data) > 0 {
		head.LastBlock = telemetryAreas
		copy(head.Reason[:], "nvmetest")
	}
	return append(encode(head), data...), success
}

// capture makes up telemetry data that differs from block to block.
func (t *telemetry) capture(d *Drive) []byte {
	data := make([]byte, int(telemetryAreas[2])*nvme.TelemetryBlock)
	for i := range data {
		data[i] = byte(i/nvme.TelemetryBlock + 1 + int(d.now/time.Second))
	}
	return data
}

// CaptureTelemetry lets the controller capture telemetry data by itself, as
// after an internal error.
func (d *Drive) CaptureTelemetry() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.telemetry.controller = d.telemetry.capture(d)
	d.telemetry.generation++
	d.notify(EventTelemetryChanged)
}

package nvmetest

import (
	"encoding/binary"
	"time"

	"github.com/drivebay/drivebay/nvme"
)

// persistentLog is the persistent event log: NVMe Base 2.0, 5.16.1.14.
type persistentLog struct {
	events     []nvme.Event // the newest first
	context    []byte       // the log as it was when the reporting context was established
	generation uint16
}

// persistentLimit is how many events are kept.
const persistentLimit = 256

// add writes an event down.
func (l *persistentLog) add(d *Drive, controller uint16, kind nvme.EventType, s nvme.Structure) {
	if !d.hasLog(nvme.LogPersistentEvents) {
		return
	}
	l.addData(d, controller, kind, encode(s))
}

func (l *persistentLog) addData(d *Drive, controller uint16, kind nvme.EventType, data []byte) {
	e := nvme.Event{EventHeader: nvme.EventHeader{Type: kind, Revision: 1, ControllerID: controller,
		Timestamp: d.controllers[0].timestamp()}, Data: data}
	l.events = append([]nvme.Event{e}, l.events...)
	l.events = l.events[:min(len(l.events), persistentLimit)]
}

// setFeature writes a Set Features down: a layout, the command's dwords, and its
// data.
func (l *persistentLog) setFeature(c *Controller, r *request) {
	if !c.drive.hasLog(nvme.LogPersistentEvents) {
		return
	}
	var b []byte
	b = binary.LittleEndian.AppendUint32(b, 2|uint32(len(r.cmd.Data))<<16) // two dwords follow
	b = binary.LittleEndian.AppendUint32(b, r.cmd.CDW10)
	b = binary.LittleEndian.AppendUint32(b, r.cmd.CDW11)
	l.addData(c.drive, c.id, nvme.EventSetFeature, append(b, r.cmd.Data...))
}

// powerOnEvent describes a power on or reset.
func (d *Drive) powerOnEvent() *nvme.PowerOnEvent {
	e := &nvme.PowerOnEvent{FirmwareRevision: d.firmware.running()}
	for _, c := range d.controllers {
		e.Controllers = append(e.Controllers, nvme.ControllerReset{ControllerID: c.id,
			PowerCycles: uint32(d.health.powerCycles), PowerOnTime: uint64(d.health.powerOn / time.Millisecond),
			Timestamp: c.timestamp()})
	}
	return e
}

// page makes up the log. LSP says what becomes of the reporting context, which
// keeps the log as it is while it is read: 0 read, 1 establish and read, 2
// release.
func (l *persistentLog) page(r *request, lsp uint32) ([]byte, nvme.Status) {
	switch lsp {
	case 0:
		if l.context == nil {
			return nil, nvme.StatusSequenceError.WithDNR()
		}
	case 1:
		if l.context != nil {
			return nil, nvme.StatusSequenceError.WithDNR()
		}
		l.generation++
		l.context = l.encode(r.c.drive)
	case 2:
		l.context = nil
		return nil, success
	default:
		return nil, r.invalid(10, 8)
	}
	return l.context, success
}

func (l *persistentLog) encode(d *Drive) []byte {
	id := &d.profile.Controller
	head := &nvme.PersistentEventHeader{
		LogPage: uint8(nvme.LogPersistentEvents), EventCount: uint32(len(l.events)), Revision: 2, HeaderLength: 512 - 20,
		Timestamp: d.controllers[0].timestamp(), PowerOnHours: nvme.Uint128{Lo: uint64(d.health.powerOn / time.Hour)},
		PowerCycles: d.health.powerCycles, PCIVendorID: id.PCIVendorID, PCISubsystemVendorID: id.PCISubsystemVendorID,
		SerialNumber: id.SerialNumber, ModelNumber: id.ModelNumber, SubsystemNQN: id.SubsystemNQN, Generation: l.generation,
		Supported: [32]byte{0xfe ^ 1<<nvme.EventSMARTSnapshot ^ 1<<nvme.EventHardwareError, 0x0f},
	}
	page := make([]byte, 512)
	for _, e := range l.events {
		var err error
		if page, err = nvme.AppendEvent(page, e); err != nil {
			panic("nvmetest: " + err.Error())
		}
	}
	head.LogLength = uint64(len(page))
	copy(page, encode(head))
	return page
}

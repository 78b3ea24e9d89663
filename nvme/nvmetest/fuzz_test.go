package nvmetest

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
)

// FuzzCommands throws anything at a drive: it must not panic, must answer with
// statuses that exist, and must keep its state in order.
func FuzzCommands(f *testing.F) {
	add := func(script ...[]byte) {
		var b []byte
		for _, s := range script {
			b = append(b, s...)
		}
		f.Add(uint8(1), b)
	}
	step := func(kind byte, opcode nvme.Opcode, nsid byte, size uint16, dwords ...uint32) []byte {
		b := []byte{kind, byte(opcode), nsid, byte(size), byte(size >> 8)}
		for i := range 6 {
			dw := uint32(0)
			if i < len(dwords) {
				dw = dwords[i]
			}
			b = binary.LittleEndian.AppendUint32(b, dw)
		}
		return b
	}
	add(step(0, nvme.AdminIdentify, 0, 1024, 1), step(0, nvme.AdminGetLogPage, 0, 128, 2|127<<16))
	add(step(0, nvme.AdminFirmwareDownload, 0, 1024, 1023), step(0, nvme.AdminFirmwareCommit, 0, 0, 2|1<<3), step(2, 0, 0, 0))
	add(step(0, nvme.AdminFormatNVM, 1, 0, 7), step(4, 0, 0, 200), step(1, nvme.IORead, 1, 128))
	add(step(0, nvme.AdminSanitize, 0, 0, 2), step(1, nvme.IORead, 1, 128), step(4, 0, 0, 60000))
	add(step(0, nvme.AdminSelfTest, 0, 0, 1), step(3, 0, 0, 0), step(0, nvme.AdminGetLogPage, 0, 141, 6|140<<16))
	add(step(0, nvme.AdminNamespaceManagement, 1, 0, 1), step(0, nvme.AdminNamespaceManagement, 0, 1024, 0))
	add(step(1, nvme.IOReservationRegister, 1, 4), step(1, nvme.IOReservationAcquire, 1, 4, 1<<8), step(1, nvme.IOReservationReport, 1, 32, 31))
	add(step(0, nvme.AdminAsyncEvent, 0, 0), step(0, nvme.AdminSetFeatures, 0, 0, 0x0b, 0x7ff), step(0, nvme.AdminSetFeatures, 0, 0, 4, 100))
	add(step(1, nvme.IOCopy, 1, 8, 0, 0, 0), step(1, nvme.IODatasetManagement, 1, 4, 0, 4), step(1, nvme.IOWriteZeroes, 1, 0, 5, 0, 100|1<<25))
	profiles := []Profile{Consumer(), Enterprise(), Old12(), QEMU()}
	for i := range profiles {
		for n := range profiles[i].Namespaces {
			profiles[i].Namespaces[n].Blocks = 4096
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, script []byte) {
		d, err := New(profiles[int(which)%len(profiles)])
		require.NoError(t, err)
		for ; len(script) >= 29; script = script[29:] {
			play(d, script[:29])
		}
		require.True(t, d.mu.TryLock())
		check(t, d)
	})
}

// play does one step of a script: a command, a reset, or a stretch of time.
func play(d *Drive, b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.controllers[int(b[0]>>4)%len(d.controllers)]
	switch b[0] & 7 {
	case 2:
		if !d.off {
			d.reset(Reset(b[1]%4) + 1)
		}
		return
	case 3:
		if !d.off {
			c.reset()
		}
		return
	case 4:
		d.advanceTo(d.now + time.Duration(binary.LittleEndian.Uint16(b[3:]))*time.Second)
		return
	}
	cmd := nvme.Command{Queue: nvme.Queue(b[0] & 1), Opcode: nvme.Opcode(b[1]), NSID: uint32(b[2])}
	if b[2] == 0xff {
		cmd.NSID = nvme.BroadcastNSID
	}
	cmd.Data = make([]byte, 4*int(binary.LittleEndian.Uint16(b[3:])%4096))
	for i := range cmd.Data {
		cmd.Data[i] = b[5+i%24]
	}
	for i, dw := range []*uint32{&cmd.CDW10, &cmd.CDW11, &cmd.CDW12, &cmd.CDW13, &cmd.CDW14, &cmd.CDW15} {
		*dw = binary.LittleEndian.Uint32(b[5+4*i:])
	}
	done, _, _ := c.begin(&cmd)
	if done.Status&postponed != 0 {
		panic("a status of 16 bits")
	}
}

// check looks for a state that cannot be.
func check(t *testing.T, d *Drive) {
	slots := d.firmware.log()
	require.NotZero(t, slots.Active())
	require.NotEmpty(t, slots.Revision(slots.Active()))
	require.NotEmpty(t, d.firmware.running())
	total, _ := d.profile.Controller.TotalCapacity.Uint64()
	if d.profile.Controller.AdminCommands&nvme.SupportsNamespaceManagement != 0 && total != 0 {
		require.LessOrEqual(t, d.allocated(), total)
	}
	for i, ns := range d.namespaces {
		if ns == nil {
			continue
		}
		require.Equal(t, uint32(i+1), ns.id)
		require.True(t, ns.lbaFormat().Offered())
		require.NotZero(t, ns.blocks)
		for word := range ns.written.words {
			require.Less(t, word*64, ns.blocks, "allocated past the end")
		}
		if ns.private {
			require.LessOrEqual(t, len(ns.attached), 1)
		}
	}
	for _, timer := range d.timers {
		require.GreaterOrEqual(t, timer.at, d.now)
	}
	for _, c := range d.controllers {
		require.LessOrEqual(t, len(c.events.waiting), int(d.profile.Controller.AsyncEventLimit)+1)
		require.LessOrEqual(t, len(c.selfTest.results), 20)
		for _, p := range c.pending {
			require.False(t, p.finished)
		}
		for _, id := range []nvme.LogPageID{nvme.LogErrors, nvme.LogSMART, nvme.LogFirmwareSlots} {
			page, s := (&request{c: c}).logPage(id, 0, 0)
			require.Equal(t, success, s)
			require.NotEmpty(t, page)
		}
	}
}

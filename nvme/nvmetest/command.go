package nvmetest

import (
	"math/bits"

	"github.com/drivebay/drivebay/nvme"
)

// command says how a command is checked and carried out.
type command struct {
	run  func(r *request) nvme.Status
	nsid nsidRule
	// used are the bits of CDW2, CDW3 and CDW10 to CDW15 that mean something:
	// the rest is reserved.
	used    [8]uint32
	effects nvme.Effects
	// A sanitize in progress, and one that failed, forbid all commands but these.
	sanitizing bool
}

// nsidRule says which NSIDs a command takes: NVMe Base 2.0, Figures 138 and 390.
type nsidRule uint8

const (
	nsidUnused      nsidRule = iota // none
	nsidActive                      // an active namespace
	nsidActiveOrAll                 // an active namespace, or all
	nsidChecked                     // the command looks at it itself
)

const all32 = 1<<32 - 1

// check refuses what is wrong with any command: reserved bits, a bad NSID, too
// much data.
func (k *command) check(r *request) nvme.Status {
	cmd := &r.cmd
	reserved := cmd.CDW2&^k.used[0] | cmd.CDW3&^k.used[1] | cmd.CDW10&^k.used[2] | cmd.CDW11&^k.used[3] |
		cmd.CDW12&^k.used[4] | cmd.CDW13&^k.used[5] | cmd.CDW14&^k.used[6] | cmd.CDW15&^k.used[7]
	if reserved != 0 {
		return k.whichReserved(r)
	}
	if limit := r.c.drive.profile.maxTransfer(); limit != 0 && uint64(len(cmd.Data)) > limit {
		return invalidField
	}
	switch k.nsid {
	case nsidUnused:
		if cmd.NSID != 0 {
			return r.locate(byteNSID, 0, invalidField)
		}
	case nsidActiveOrAll:
		if cmd.NSID == nvme.BroadcastNSID {
			return success
		}
		fallthrough
	case nsidActive:
		return r.active()
	}
	return success
}

// whichReserved finds the first reserved bit that is set.
func (k *command) whichReserved(r *request) nvme.Status {
	cmd := &r.cmd
	for i, v := range [...]uint32{cmd.CDW2, cmd.CDW3, cmd.CDW10, cmd.CDW11, cmd.CDW12, cmd.CDW13, cmd.CDW14, cmd.CDW15} {
		if extra := v &^ k.used[i]; extra != 0 {
			offset := 8 + 4*i
			if i >= 2 {
				offset = byteCDW10 + 4*(i-2)
			}
			bit := bits.TrailingZeros32(extra)
			return r.locate(offset+bit/8, bit%8, invalidField)
		}
	}
	return success
}

// active sets r.ns, if NSID is an active namespace of the controller. NVMe Base
// 2.0, Figure 87, says which status else: "Invalid Namespace or Format" for an
// NSID that cannot be one, "Invalid Field" for one that is not active.
func (r *request) active() nvme.Status {
	if s := r.valid(); s != success {
		return s
	}
	ns := r.c.drive.namespaces[r.cmd.NSID-1]
	if ns == nil || !ns.attachedTo(r.c) {
		return r.locate(byteNSID, 0, invalidField)
	}
	r.ns = ns
	return r.reachable()
}

// valid checks that NSID is at least a valid one.
func (r *request) valid() nvme.Status {
	if n := r.cmd.NSID; n == 0 || uint64(n) > uint64(len(r.c.drive.namespaces)) {
		return r.locate(byteNSID, 0, invalidNamespace)
	}
	return success
}

// transfer checks that the host's buffer has the length that the command
// implies: over PCI Express a shorter one means that memory is overwritten.
func (r *request) transfer(size int) nvme.Status {
	if len(r.cmd.Data) != size {
		return invalidLength
	}
	return success
}

// encode encodes what the drive has made up. That it cannot be would be its own doing.
func encode(s nvme.Structure) []byte {
	b, err := nvme.Encode(s)
	if err != nil {
		panic("nvmetest: " + err.Error())
	}
	return b
}

// answer hands structure over as the command's data.
func (r *request) answer(s nvme.Structure) nvme.Status {
	b := encode(s)
	if s := r.transfer(len(b)); s != success {
		return s
	}
	copy(r.cmd.Data, b)
	return success
}

// supportedCommands returns the commands that the profile claims.
func (d *Drive) supportedCommands() (t [2][256]*command) {
	add := func(q nvme.Queue, op nvme.Opcode, claimed bool, k command) {
		if claimed {
			k.effects |= nvme.EffectSupported
			t[q][op] = &k
		}
	}
	d.adminCommands(func(op nvme.Opcode, claimed bool, k command) { add(nvme.AdminQueue, op, claimed, k) })
	for _, op := range d.profile.Quirks.Refused {
		t[nvme.AdminQueue][op] = nil
	}
	d.ioCommands(func(op nvme.Opcode, claimed bool, k command) { add(nvme.IOQueue, op, claimed, k) })
	return t
}

func (d *Drive) adminCommands(add func(op nvme.Opcode, claimed bool, k command)) {
	id := &d.profile.Controller
	has := func(bit nvme.AdminCommands) bool { return id.AdminCommands&bit != 0 }
	logs := [8]uint32{2: 0xffff_7fff | 1<<15, 3: all32, 4: all32, 5: all32, 6: 0xff80_007f}
	if id.LogPages&nvme.SupportsExtendedData == 0 {
		logs = [8]uint32{2: 0x0fff_ffff}
	}
	format, features := uint32(0xfff), uint32(0x8000_00ff)
	if d.profile.since(nvme.Version2_0) {
		format = 0x3fff // LBAFU
	}
	add(nvme.AdminIdentify, true, command{run: identify, nsid: nsidChecked, sanitizing: true,
		used: [8]uint32{2: 0xffff_00ff, 3: 0xff00_ffff, 6: 0x7f}})
	add(nvme.AdminGetLogPage, true, command{run: getLogPage, nsid: nsidChecked, sanitizing: true, used: logs})
	add(nvme.AdminGetFeatures, true, command{run: getFeatures, nsid: nsidChecked, sanitizing: true,
		used: [8]uint32{2: 0x7ff, 3: all32, 6: 0x7f}})
	add(nvme.AdminSetFeatures, true, command{run: setFeatures, nsid: nsidChecked, sanitizing: true,
		used: [8]uint32{2: features, 3: all32, 4: all32, 5: all32, 6: all32, 7: all32}, effects: nvme.EffectController})
	add(nvme.AdminAbort, true, command{run: abortCommand, sanitizing: true, used: [8]uint32{2: all32}})
	add(nvme.AdminAsyncEvent, true, command{run: asyncEvent, sanitizing: true})
	add(nvme.AdminKeepAlive, d.profile.Controller.KeepAliveGranularity != 0, command{run: keepAlive, sanitizing: true})
	add(nvme.AdminFirmwareDownload, has(nvme.SupportsFirmware), command{run: firmwareDownload,
		used: [8]uint32{2: all32, 3: all32}})
	add(nvme.AdminFirmwareCommit, has(nvme.SupportsFirmware), command{run: firmwareCommit,
		used: [8]uint32{2: 0x8000_003f}, effects: nvme.EffectController})
	add(nvme.AdminFormatNVM, has(nvme.SupportsFormat), command{run: formatNVM, nsid: nsidChecked,
		used: [8]uint32{2: format}, effects: nvme.EffectContent | nvme.EffectNamespace | 1<<16})
	add(nvme.AdminSanitize, id.Sanitize&7 != 0, command{run: sanitize,
		used: [8]uint32{2: 0x3ff, 3: all32}, effects: nvme.EffectContent | 2<<16})
	add(nvme.AdminSelfTest, has(nvme.SupportsSelfTest), command{run: deviceSelfTest, nsid: nsidChecked,
		used: [8]uint32{2: 0xf}})
	add(nvme.AdminNamespaceManagement, has(nvme.SupportsNamespaceManagement), command{run: namespaceManagement,
		nsid: nsidChecked, used: [8]uint32{2: 0xf, 3: 0xff00_0000}, effects: nvme.EffectInventory})
	add(nvme.AdminNamespaceAttachment, has(nvme.SupportsNamespaceManagement), command{run: namespaceAttachment,
		nsid: nsidChecked, used: [8]uint32{2: 0xf}, effects: nvme.EffectInventory})
	add(nvme.AdminDirectiveSend, has(nvme.SupportsDirectives), command{run: directiveSend,
		nsid: nsidActiveOrAll, used: [8]uint32{2: all32, 3: all32, 4: all32, 5: all32}})
	add(nvme.AdminDirectiveReceive, has(nvme.SupportsDirectives), command{run: directiveReceive,
		nsid: nsidActiveOrAll, used: [8]uint32{2: all32, 3: all32, 4: all32, 5: all32}})
	add(nvme.AdminSecuritySend, has(nvme.SupportsSecurity), command{run: securitySend, nsid: nsidChecked,
		used: [8]uint32{2: all32, 3: all32}, effects: nvme.EffectContent})
	add(nvme.AdminSecurityReceive, has(nvme.SupportsSecurity), command{run: securityReceive, nsid: nsidChecked,
		used: [8]uint32{2: all32, 3: all32}})
	add(nvme.AdminGetLBAStatus, has(nvme.SupportsGetLBAStatus), command{run: getLBAStatus, nsid: nsidActive,
		used: [8]uint32{2: all32, 3: all32, 4: all32, 5: 0xff00_ffff}})
}

func (d *Drive) ioCommands(add func(op nvme.Opcode, claimed bool, k command)) {
	id := &d.profile.Controller
	has := func(bit nvme.NVMCommands) bool { return id.NVMCommands&bit != 0 }
	const rw = 0xfd00_ffff // LR, FUA, PRINFO, STC, NLB
	add(nvme.IOFlush, true, command{run: flush, nsid: nsidActiveOrAll})
	add(nvme.IOWrite, true, command{run: write, nsid: nsidActive, effects: nvme.EffectContent,
		used: [8]uint32{2: all32, 3: all32, 4: rw | 0xf0_0000, 5: 0xffff_00ff, 6: all32, 7: all32}})
	add(nvme.IORead, true, command{run: read, nsid: nsidActive,
		used: [8]uint32{2: all32, 3: all32, 4: rw, 5: 0xff, 6: all32, 7: all32}})
	add(nvme.IOCompare, has(nvme.SupportsCompare), command{run: compare, nsid: nsidActive,
		used: [8]uint32{2: all32, 3: all32, 4: rw, 6: all32, 7: all32}})
	add(nvme.IOWriteUncorrectable, has(nvme.SupportsWriteUncorrectable), command{run: writeUncorrectable,
		nsid: nsidActive, effects: nvme.EffectContent, used: [8]uint32{2: all32, 3: all32, 4: 0xffff}})
	add(nvme.IOWriteZeroes, has(nvme.SupportsWriteZeroes), command{run: writeZeroes, nsid: nsidActive,
		effects: nvme.EffectContent, used: [8]uint32{2: all32, 3: all32, 4: rw | 1<<25, 6: all32, 7: all32}})
	add(nvme.IODatasetManagement, has(nvme.SupportsDatasetManagement), command{run: datasetManagement,
		nsid: nsidActive, effects: nvme.EffectContent, used: [8]uint32{2: 0xff, 3: 7}})
	add(nvme.IOVerify, has(nvme.SupportsVerify), command{run: verify, nsid: nsidActive,
		used: [8]uint32{2: all32, 3: all32, 4: rw, 6: all32, 7: all32}})
	add(nvme.IOCopy, has(nvme.SupportsCopy), command{run: copyBlocks, nsid: nsidActive, effects: nvme.EffectContent,
		used: [8]uint32{2: all32, 3: all32, 4: 0xfdf0_ffff, 5: 0xffff_0000, 6: all32, 7: all32}})
	if has(nvme.SupportsReservations) {
		add(nvme.IOReservationRegister, true, command{run: reservationRegister, nsid: nsidActive,
			used: [8]uint32{2: 0xc000_000f}})
		add(nvme.IOReservationReport, true, command{run: reservationReport, nsid: nsidActive,
			used: [8]uint32{2: all32, 3: 1}})
		add(nvme.IOReservationAcquire, true, command{run: reservationAcquire, nsid: nsidActive,
			used: [8]uint32{2: 0xff0f}})
		add(nvme.IOReservationRelease, true, command{run: reservationRelease, nsid: nsidActive,
			used: [8]uint32{2: 0xff0f}})
	}
}

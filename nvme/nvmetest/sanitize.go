package nvmetest

import (
	"time"

	"github.com/drivebay/drivebay/nvme"
)

// sanitizeState is the sanitize operation of the NVM subsystem. It goes on
// through resets and power cycles.
type sanitizeState struct {
	phase      sanitizePhase
	cdw10      uint32
	cdw11      uint32
	begin, end time.Duration
	status     nvme.SanitizeState
	passes     int
	progress   uint16 // when it failed
	erased     bool   // Global Data Erased
	fail       bool   // the operation is to fail half way
}

type sanitizePhase uint8

const (
	sanitizeIdle sanitizePhase = iota
	sanitizeBusy
	sanitizeFailure             // failed; only another sanitize gets out of it
	sanitizeFailureUnrestricted // failed; Exit Failure Mode gets out of it as well
)

func (s *sanitizeState) init() { s.erased = true }

// forbids refuses what a sanitize forbids: NVMe Base 2.0, 8.21.4 and Figure 99.
func (s *sanitizeState) forbids(r *request, k *command) nvme.Status {
	status := nvme.StatusSanitizeInProgress
	if s.phase != sanitizeBusy {
		status = nvme.StatusSanitizeFailed
	}
	if !k.sanitizing {
		if r.cmd.Queue == nvme.AdminQueue && r.cmd.Opcode == nvme.AdminSanitize && s.phase != sanitizeBusy {
			return success
		}
		return status
	}
	if r.cmd.Queue == nvme.AdminQueue && r.cmd.Opcode == nvme.AdminGetLogPage {
		switch nvme.LogPageID(r.cmd.CDW10) {
		case nvme.LogErrors, nvme.LogSMART, nvme.LogChangedNamespaces, nvme.LogReservations, nvme.LogSanitize:
		default:
			return status
		}
	}
	return success
}

// sanitize carries out a Sanitize: NVMe Base 2.0, 5.24. It starts the operation.
func sanitize(r *request) nvme.Status {
	d := r.c.drive
	s, can := &d.sanitize, d.profile.Controller.Sanitize
	if st := r.transfer(0); st != success {
		return st
	}
	action := nvme.SanitizeAction(r.cmd.CDW10 & 7)
	need := map[nvme.SanitizeAction]nvme.SanitizeCapabilities{
		nvme.ExitFailureMode: 7, nvme.BlockErase: nvme.SupportsBlockErase,
		nvme.Overwrite: nvme.SupportsOverwrite, nvme.CryptoEraseMedia: nvme.SupportsCryptoErase,
	}[action]
	if can&need == 0 {
		return r.invalid(10, 0)
	}
	if action == nvme.ExitFailureMode {
		return s.exitFailure()
	}
	if s.phase == sanitizeFailure && r.cmd.CDW10&(1<<3) != 0 {
		// What was restricted stays so.
		return nvme.StatusSanitizeFailed
	}
	if st := d.firmware.pending(); st != success {
		return st
	}
	if can&nvme.NoDeallocInhibited != 0 && r.cmd.CDW10&(1<<9) != 0 && r.c.noDeallocError() {
		return r.invalid(10, 9)
	}
	for _, ns := range d.namespaces {
		if ns != nil && ns.protection != protectNone {
			return nvme.StatusWriteProtected.WithDNR()
		}
	}
	for _, c := range d.controllers {
		c.selfTest.abort(c, nvme.SelfTestAbortedSanitize)
	}
	s.start(d, r, action)
	return success
}

// noDeallocError reports the No-Deallocate Response Mode of Sanitize Config: 0
// makes No-Deallocate an error where the drive does not do it.
func (c *Controller) noDeallocError() bool {
	v, ok := c.features.current[featureKey{nvme.FeatureSanitizeConfig, 0}]
	return ok && v.value&1 == 0
}

func (s *sanitizeState) exitFailure() nvme.Status {
	switch s.phase {
	case sanitizeFailure:
		return nvme.StatusSanitizeFailed
	case sanitizeFailureUnrestricted:
		s.phase = sanitizeIdle
	}
	return success
}

func (s *sanitizeState) start(d *Drive, r *request, action nvme.SanitizeAction) {
	took := d.profile.BlockEraseTime
	passes := 0
	switch action {
	case nvme.CryptoEraseMedia:
		took = d.profile.CryptoEraseTime
	case nvme.Overwrite:
		passes = int((r.cmd.CDW10>>4&0xf+15)%16) + 1
		took = d.profile.OverwriteTime * time.Duration(passes)
	}
	fail := s.fail
	*s = sanitizeState{phase: sanitizeBusy, cdw10: r.cmd.CDW10, cdw11: r.cmd.CDW11, begin: d.now, end: d.now + took,
		status: nvme.Sanitizing, passes: passes, erased: s.erased, fail: fail}
	d.persistent.add(d, r.c.id, nvme.EventSanitizeStart, &nvme.SanitizeStartEvent{
		Capabilities: d.profile.Controller.Sanitize, CDW10: r.cmd.CDW10, CDW11: r.cmd.CDW11})
	if fail {
		d.at(d.now+took/2, func() { s.finish(d) })
		return
	}
	d.at(s.end, func() { s.finish(d) })
}

// finish ends the operation: with all data gone, or as a failure.
func (s *sanitizeState) finish(d *Drive) {
	if s.fail {
		s.progress = s.reached(d.now)
		s.fail, s.status, s.phase = false, nvme.SanitizeFailed, sanitizeFailure
		if s.cdw10&(1<<3) != 0 {
			s.phase = sanitizeFailureUnrestricted
		}
	} else {
		s.phase, s.status, s.erased = sanitizeIdle, nvme.Sanitized, true
		noDealloc := s.cdw10&(1<<9) != 0
		if noDealloc && d.profile.Controller.Sanitize&nvme.NoDeallocInhibited != 0 {
			s.status, noDealloc = nvme.SanitizedNoDealloc, false
		}
		for _, ns := range d.namespaces {
			if ns != nil {
				ns.sanitized(nvme.SanitizeAction(s.cdw10&7), s.pattern(), noDealloc)
			}
		}
	}
	d.persistent.add(d, 0, nvme.EventSanitizeCompletion,
		&nvme.SanitizeCompletionEvent{Progress: 0xffff, Status: uint16(s.status)})
	d.notify(EventSanitizeCompleted)
}

// pattern returns what the last pass of an overwrite wrote.
func (s *sanitizeState) pattern() uint32 {
	if invert := s.cdw10&(1<<8) != 0; invert && s.passes%2 == 0 {
		return ^s.cdw11
	}
	return s.cdw11
}

// sanitized erases the namespace as a sanitize does.
func (n *Namespace) sanitized(action nvme.SanitizeAction, pattern uint32, keep bool) {
	if !keep || action != nvme.Overwrite {
		pattern = 0
	}
	n.erase(pattern)
	n.written.fill(keep)
}

// reached returns how far the operation is, of 65536.
func (s *sanitizeState) reached(now time.Duration) uint16 {
	if s.end <= s.begin {
		return 0xffff
	}
	return uint16(min(float64(now-s.begin)/float64(s.end-s.begin)*65536, 65535))
}

func (d *Drive) sanitizeLog() *nvme.SanitizeLog {
	s, p := &d.sanitize, &d.profile
	seconds := func(t time.Duration, bit nvme.SanitizeCapabilities) uint32 {
		if p.Controller.Sanitize&bit == 0 {
			return 0xffffffff
		}
		return uint32((t + time.Second - 1) / time.Second)
	}
	log := &nvme.SanitizeLog{
		Progress: 0xffff, StatusField: uint16(s.status), CDW10: s.cdw10,
		OverwriteTime:            seconds(p.OverwriteTime, nvme.SupportsOverwrite),
		BlockEraseTime:           seconds(p.BlockEraseTime, nvme.SupportsBlockErase),
		CryptoEraseTime:          seconds(p.CryptoEraseTime, nvme.SupportsCryptoErase),
		OverwriteTimeNoDealloc:   0xffffffff,
		BlockEraseTimeNoDealloc:  0xffffffff,
		CryptoEraseTimeNoDealloc: 0xffffffff,
	}
	passes := s.passes
	switch s.phase {
	case sanitizeBusy:
		log.Progress = s.reached(d.now)
		passes = int(float64(s.passes) * float64(log.Progress) / 65536)
	case sanitizeFailure, sanitizeFailureUnrestricted:
		log.Progress = s.progress
		passes = int(float64(s.passes) * float64(log.Progress) / 65536)
	}
	log.StatusField |= uint16(min(passes, 31)) << 3
	if s.erased {
		log.StatusField |= 1 << 8
	}
	return log
}

// FailSanitize lets the next sanitize fail half way.
func (d *Drive) FailSanitize() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sanitize.fail = true
}

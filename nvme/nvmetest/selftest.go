package nvmetest

import (
	"time"

	"github.com/drivebay/drivebay/nvme"
)

// selfTestState is a controller's device self-test.
type selfTestState struct {
	running    nvme.SelfTest // 0 is none
	nsid       uint32
	begin, end time.Duration
	generation int                   // of the test, so that the timer of one that was aborted does nothing
	results    []nvme.SelfTestResult // the newest first
	fail       *nvme.SelfTestResult  // how the next one fails
}

// deviceSelfTest carries out a Device Self-test: NVMe Base 2.0, 5.9.
func deviceSelfTest(r *request) nvme.Status {
	d, c := r.c.drive, r.c
	s := &c.selfTest
	if st := r.transfer(0); st != success {
		return st
	}
	test := nvme.SelfTest(r.cmd.CDW10 & 0xf)
	took := d.profile.ShortSelfTestTime
	switch test {
	case nvme.AbortSelfTest:
		s.abort(c, nvme.SelfTestAborted)
		return success
	case nvme.ExtendedSelfTest:
		took = time.Duration(d.profile.Controller.ExtendedSelfTestTime) * time.Minute
	case nvme.ShortSelfTest:
	default:
		return r.invalid(10, 0)
	}
	if r.cmd.NSID != 0 && r.cmd.NSID != nvme.BroadcastNSID {
		if st := r.active(); st != success {
			return st
		}
	}
	if d.selfTesting(c) {
		return nvme.StatusSelfTestInProgress.WithDNR()
	}
	s.generation++
	generation := s.generation
	s.running, s.nsid, s.begin, s.end = test, r.cmd.NSID, d.now, d.now+took
	d.at(s.end, func() {
		if s.generation == generation && s.running != 0 {
			s.finish(c)
		}
	})
	if s.end == d.now {
		s.finish(c)
	}
	return success
}

// selfTesting reports whether a test is in the way of another: one of the
// controller, or with DSTO bit 0 one of any.
func (d *Drive) selfTesting(c *Controller) bool {
	if d.profile.Controller.SelfTestOptions&1 == 0 {
		return c.selfTest.running != 0
	}
	for _, c := range d.controllers {
		if c.selfTest.running != 0 {
			return true
		}
	}
	return false
}

// finish ends the test in its time.
func (s *selfTestState) finish(c *Controller) {
	result := nvme.SelfTestResult{}
	if s.fail != nil {
		result, s.fail = *s.fail, nil
	} else if ns, lba, ok := c.firstBad(s.nsid); ok {
		result = nvme.SelfTestResult{Status: uint8(nvme.SelfTestSegmentFailed), Segment: 7,
			Valid: nvme.SelfTestNSID | nvme.SelfTestLBA | nvme.SelfTestStatusType | nvme.SelfTestStatusCode,
			NSID:  ns.id, FailingLBA: lba, StatusType: uint8(nvme.MediaStatus), StatusCode: nvme.StatusUnrecoveredRead.SC()}
	}
	s.record(c, result)
}

// firstBad finds a block that cannot be read, in the namespaces tested.
func (c *Controller) firstBad(nsid uint32) (*Namespace, uint64, bool) {
	for _, ns := range c.drive.namespaces {
		if ns == nil || !ns.attachedTo(c) || nsid != nvme.BroadcastNSID && ns.id != nsid {
			continue
		}
		if lba, ok := ns.bad.first(0, ns.blocks); ok {
			return ns, lba, true
		}
	}
	return nil, 0, false
}

// record adds a result for the test that is running, and ends it. There are 20.
func (s *selfTestState) record(c *Controller, result nvme.SelfTestResult) {
	result.Status = result.Status&0xf | uint8(s.running)<<4
	result.PowerOnHours = uint64(c.drive.health.powerOn / time.Hour)
	if s.nsid != 0 && result.Valid&nvme.SelfTestNSID == 0 {
		result.NSID = s.nsid
		result.Valid |= nvme.SelfTestNSID
	}
	s.results = append([]nvme.SelfTestResult{result}, s.results...)
	s.results = s.results[:min(len(s.results), 20)]
	s.running = 0
}

// abort ends the test that is running, if one is.
func (s *selfTestState) abort(c *Controller, why nvme.SelfTestOutcome) {
	if s.running != 0 {
		s.record(c, nvme.SelfTestResult{Status: uint8(why)})
	}
}

// abortFor ends the test if it covers a namespace.
func (s *selfTestState) abortFor(c *Controller, nsid uint32, why nvme.SelfTestOutcome) {
	if s.nsid == nsid || s.nsid == nvme.BroadcastNSID || nsid == nvme.BroadcastNSID && s.nsid != 0 {
		s.abort(c, why)
	}
}

// reset is what a reset does: a short test ends, an extended one goes on.
func (s *selfTestState) reset(c *Controller) {
	if s.running == nvme.ShortSelfTest {
		s.abort(c, nvme.SelfTestAbortedReset)
	}
}

func (s *selfTestState) page(now time.Duration) *nvme.SelfTestLog {
	log := new(nvme.SelfTestLog)
	if s.running != 0 {
		log.Current = s.running
		log.Completion = uint8(min(percentOf(now-s.begin, s.end-s.begin), 99))
	}
	for i := range log.Results {
		log.Results[i] = nvme.SelfTestResult{Status: uint8(nvme.SelfTestUnused)}
	}
	copy(log.Results[:], s.results)
	return log
}

// FailSelfTest lets the controller's next self-test that comes to its end have
// this result. Its test and time are filled in.
func (c *Controller) FailSelfTest(result nvme.SelfTestResult) {
	c.drive.mu.Lock()
	defer c.drive.mu.Unlock()
	c.selfTest.fail = &result
}

package nvme

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// SanitizePlan is the plan of a sanitize. [PlanSanitize] makes one, Run carries it
// out.
type SanitizePlan struct {
	Options  SanitizeOptions
	Affected []uint32      // the NSIDs that this controller sees; the others lose their data as well
	InUse    []string      // who uses them
	Estimate time.Duration // by the drive; 0 is none

	target  target
	c       *Controller
	consent Consent
	follow  Follow
}

// SanitizeResult is what became of a sanitize.
type SanitizeResult struct {
	State  SanitizeState
	Erased bool // nothing was written since (Global Data Erased)
	Log    SanitizeLog
}

// String says what happened in one line.
func (r SanitizeResult) String() string {
	if r.Erased {
		return r.State.String() + ", nothing written since"
	}
	return r.State.String()
}

// RunSanitize plans a sanitize, starts it and follows it to its end; see
// [PlanSanitize], [SanitizePlan.Run] and [FollowSanitize].
func RunSanitize(ctx context.Context, c *Controller, o SanitizeOptions, consent Consent, f Follow) (SanitizeResult, error) {
	p, err := PlanSanitize(ctx, c, o, consent, f)
	if err != nil {
		return SanitizeResult{}, err
	}
	return p.Run(ctx)
}

// PlanSanitize checks a sanitize against what the drive offers, and changes
// nothing. Namespaces that are in use are part of the plan, and let Run fail.
func PlanSanitize(ctx context.Context, c *Controller, o SanitizeOptions, consent Consent, f Follow) (*SanitizePlan, error) {
	t, err := identifyTarget(ctx, c, "sanitize", consent)
	if err != nil {
		return nil, err
	}
	if err := c.CheckSanitize(ctx, o); err != nil {
		return nil, err
	}
	p := &SanitizePlan{Options: o, target: t, c: c, consent: consent, follow: f}
	if p.Affected, err = c.ActiveNamespaces(ctx); err != nil {
		return nil, err
	}
	log, err := c.SanitizeLog(ctx)
	if err != nil {
		return nil, err
	}
	p.Estimate = log.estimate(o)
	p.InUse = users(c.t, p.Affected)
	return p, nil
}

// estimate returns how long the drive says that an operation takes. An overwrite
// is for each pass.
func (l *SanitizeLog) estimate(o SanitizeOptions) time.Duration {
	times := map[SanitizeAction][2]uint32{
		BlockErase: {l.BlockEraseTime, l.BlockEraseTimeNoDealloc}, Overwrite: {l.OverwriteTime, l.OverwriteTimeNoDealloc},
		CryptoEraseMedia: {l.CryptoEraseTime, l.CryptoEraseTimeNoDealloc},
	}[o.Action]
	seconds := times[0]
	if o.NoDeallocate && times[1] != 0xffffffff {
		seconds = times[1]
	}
	if seconds == 0xffffffff {
		return 0
	}
	return time.Duration(seconds) * time.Second * time.Duration(max(o.Passes, 1))
}

// String lays the plan out.
func (p *SanitizePlan) String() string {
	action, takes := p.Options.Action.String(), "as long as it takes: the drive does not say"
	if p.Options.Action == Overwrite {
		action += fmt.Sprintf(", %d times, with %08Xh", max(p.Options.Passes, 1), p.Options.Pattern)
	}
	if p.Estimate > 0 {
		takes = fmt.Sprintf("about %v, by the drive", p.Estimate)
	}
	return planText("sanitize", "drive", p.target.String(), "action", action, "takes", takes,
		"destroys", fmt.Sprintf("all data of the drive, on every namespace (here nsid %s)", joinNSIDs(p.Affected)),
		"in use", strings.Join(p.InUse, "; "))
}

// Run starts the sanitize, and follows it to its end. If ctx is over before, the
// sanitize goes on; nothing can stop it. [FollowSanitize] then takes it up again.
func (p *SanitizePlan) Run(ctx context.Context) (SanitizeResult, error) {
	if err := checkUsers("sanitize", users(p.c.t, p.Affected), p.consent); err != nil {
		return SanitizeResult{}, err
	}
	if err := p.c.Sanitize(ctx, p.Options); err != nil {
		return SanitizeResult{}, err
	}
	if p.Options.Action == ExitFailureMode { // which is over when the command is
		log, err := p.c.SanitizeLog(ctx)
		if err != nil {
			return SanitizeResult{}, err
		}
		return log.result(), nil
	}
	return FollowSanitize(ctx, p.c, p.follow)
}

// FollowSanitize follows a sanitize to its end, be it this program that has
// started it or one before. If none is in progress it returns at once, with what
// became of the last one; a drive that never had one is ErrNothingToFollow. One
// that failed is ErrSanitizeFailed.
//
// It lives through resets of the controller, and so does the sanitize.
func FollowSanitize(ctx context.Context, c *Controller, f Follow) (SanitizeResult, error) {
	told := -1
	for {
		var log *SanitizeLog
		err := f.untilReady(ctx, readyWithin, func() (err error) {
			log, err = c.SanitizeLog(ctx)
			return err
		})
		if err != nil {
			return SanitizeResult{State: Sanitizing}, err
		}
		r := log.result()
		switch r.State {
		case Sanitizing:
		case NeverSanitized:
			return r, fmt.Errorf("nvme: sanitize: %w", ErrNothingToFollow)
		case SanitizeFailed:
			return r, fmt.Errorf("nvme: sanitize: %w, %d%% done", ErrSanitizeFailed, int(log.Progress)*100/65536)
		default:
			f.tell("sanitize", 65536, 65536)
			return r, nil
		}
		if int(log.Progress) > told {
			told = int(log.Progress)
			f.tell("sanitize", uint64(log.Progress), 65536)
		}
		if err := f.wait(ctx, 0); err != nil {
			return r, fmt.Errorf("nvme: sanitize: it goes on: %w", err)
		}
	}
}

func (l *SanitizeLog) result() SanitizeResult {
	return SanitizeResult{State: l.State(), Erased: l.Erased(), Log: *l}
}

// RunSelfTest starts a device self-test, follows it to its end and returns its
// result, whose Outcome says whether the drive passed; that it did not is no
// error. nsid is as in [Controller.SelfTest]. If ctx is over before, the test
// goes on: [FollowSelfTest] takes it up again, [StopSelfTest] ends it.
func RunSelfTest(ctx context.Context, c *Controller, nsid uint32, test SelfTest, f Follow) (SelfTestResult, error) {
	if test == AbortSelfTest {
		return SelfTestResult{}, &ArgumentError{"device self-test", "test", test, "a test; StopSelfTest ends one"}
	}
	id, err := c.Identify(ctx)
	if err != nil {
		return SelfTestResult{}, err
	}
	if id.AdminCommands&SupportsSelfTest == 0 {
		return SelfTestResult{}, fmt.Errorf("nvme: device self-test: not among the drive's commands (%v): %w",
			id.AdminCommands, errors.ErrUnsupported)
	}
	if err := c.SelfTest(ctx, nsid, test); err != nil {
		return SelfTestResult{}, err
	}
	return FollowSelfTest(ctx, c, f)
}

// FollowSelfTest follows the self-test in progress to its end, be it this program
// that has started it or one before, and returns its result. If none is in
// progress it returns the newest result; without any it is ErrNothingToFollow.
func FollowSelfTest(ctx context.Context, c *Controller, f Follow) (SelfTestResult, error) {
	told := -1
	for {
		var log *SelfTestLog
		err := f.untilReady(ctx, readyWithin, func() (err error) {
			log, err = c.SelfTestLog(ctx)
			return err
		})
		if err != nil {
			return SelfTestResult{}, err
		}
		test, percent, running := log.Progress()
		if !running {
			if log.Results[0].Outcome() == SelfTestUnused {
				return SelfTestResult{}, fmt.Errorf("nvme: device self-test: %w", ErrNothingToFollow)
			}
			f.tell(log.Results[0].Test().String()+" self-test", 100, 100)
			return log.Results[0], nil
		}
		if percent > told {
			told = percent
			f.tell(test.String()+" self-test", uint64(percent), 100)
		}
		if err := f.wait(ctx, 0); err != nil {
			return SelfTestResult{}, fmt.Errorf("nvme: device self-test: it goes on: %w", err)
		}
	}
}

// StopSelfTest ends the self-test in progress, and returns its result. If none
// is, it returns the newest result.
func StopSelfTest(ctx context.Context, c *Controller, f Follow) (SelfTestResult, error) {
	if err := c.SelfTest(ctx, 0, AbortSelfTest); err != nil {
		return SelfTestResult{}, err
	}
	return FollowSelfTest(ctx, c, f)
}

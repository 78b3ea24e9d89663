package nvme

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors of procedures: [UpdateFirmware], [FormatNamespace], [RunSanitize] and
// [RunSelfTest].
var (
	// ErrInUse says that a namespace which is to be destroyed is mounted, swapped
	// to, or held by another device. Consent's Force overrides it.
	ErrInUse = errors.New("namespace is in use")

	// ErrNotActivated says that the drive has taken new firmware, was reset as it
	// asked for, and still does not run it.
	ErrNotActivated = errors.New("the drive does not run the new firmware")

	// ErrFormatDiffers says that after a format that succeeded a namespace has
	// another format than was asked for.
	ErrFormatDiffers = errors.New("the namespace has another format")

	// ErrSanitizeFailed says that the drive reports its sanitize as failed. It
	// may refuse nearly everything until another one has succeeded.
	ErrSanitizeFailed = errors.New("the sanitize operation has failed")

	// ErrNothingToFollow says that no operation is in progress, nor is there a
	// result of one.
	ErrNothingToFollow = errors.New("no operation in progress, and no result")
)

// Consent is what a procedure wants to see before it destroys anything or
// changes the firmware.
type Consent struct {
	// Serial is the drive's serial number, repeated by whoever has decided: a
	// wrong path then harms no other drive. There is no default.
	Serial string
	// Force destroys namespaces that are mounted, swapped to or held by another
	// device.
	Force bool
}

// Follow says how a procedure waits, and whom it tells how far it is.
type Follow struct {
	// Progress is called in the procedure's goroutine, when there is something
	// new.
	Progress func(Progress)
	// Interval is how often to look; 0 is a second.
	Interval time.Duration
	// Wait waits, or returns early with the context's error. nil waits in real
	// time; a drive of package nvmetest brings its own.
	Wait func(ctx context.Context, d time.Duration) error
}

// Progress is how far a procedure is.
type Progress struct {
	Step        string // what is being done, such as "download"
	Done, Total uint64 // of any unit; Total is 0 where the drive does not tell
}

// Percent returns how much of the step is done, 0 to 100.
func (p Progress) Percent() int {
	if p.Total == 0 {
		return 0
	}
	return int(float64(min(p.Done, p.Total)) / float64(p.Total) * 100)
}

// String returns a form such as "download 40%".
func (p Progress) String() string {
	if p.Total == 0 {
		return p.Step
	}
	return fmt.Sprintf("%s %d%%", p.Step, p.Percent())
}

func (f *Follow) tell(step string, done, total uint64) {
	if f.Progress != nil {
		f.Progress(Progress{step, done, total})
	}
}

// wait waits for d, or for the interval if d is 0.
func (f *Follow) wait(ctx context.Context, d time.Duration) error {
	if d == 0 {
		if d = f.Interval; d <= 0 {
			d = time.Second
		}
	}
	if f.Wait != nil {
		return f.Wait(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// target is the drive that a procedure is about to change.
type target struct {
	id *IdentifyController
}

// identifyTarget identifies the drive, and compares its serial number.
func identifyTarget(ctx context.Context, c *Controller, op string, consent Consent) (target, error) {
	if consent.Serial == "" {
		return target{}, &ArgumentError{op, "Serial", `""`, "the serial number of the drive that is meant"}
	}
	id, err := c.Identify(ctx)
	if err != nil {
		return target{}, err
	}
	if id.SerialNumber != consent.Serial {
		return target{}, &ArgumentError{op, "Serial", fmt.Sprintf("%q", consent.Serial),
			fmt.Sprintf("%q, which is this drive's, if it is the one that is meant", id.SerialNumber)}
	}
	return target{id}, nil
}

// String names the drive.
func (t target) String() string {
	return fmt.Sprintf("%s, serial %s, firmware %s", t.id.ModelNumber, t.id.SerialNumber, t.id.FirmwareRevision)
}

// users lists who uses namespaces, as far as the transport knows: through the
// kernel it does. Not to know it, where it could be known, is as good as a user.
func users(t Transport, nsids []uint32) (all []string) {
	for {
		switch w := t.(type) {
		case *Tracer:
			t = w.t
			continue
		case *Recorder:
			t = w.t
			continue
		case *DryRun:
			t = w.t
			continue
		}
		break
	}
	u, ok := t.(interface {
		NamespaceUsers(nsid uint32) ([]string, error)
	})
	if !ok {
		return nil
	}
	for _, nsid := range nsids {
		list, err := u.NamespaceUsers(nsid)
		if err != nil {
			list = append(list, fmt.Sprintf("perhaps, as who uses it cannot be told: %v", err))
		}
		for _, who := range list {
			all = append(all, fmt.Sprintf("nsid %d: %s", nsid, who))
		}
	}
	return all
}

// checkUsers refuses to destroy what is in use.
func checkUsers(op string, inUse []string, consent Consent) error {
	if len(inUse) > 0 && !consent.Force {
		return fmt.Errorf("nvme: %s: %w: %s", op, ErrInUse, strings.Join(inUse, "; "))
	}
	return nil
}

// planText lays a plan out: a title, and a line for each pair of label and text.
func planText(title string, pairs ...string) string {
	var b strings.Builder
	b.WriteString(title + "\n")
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(&b, "  %-10s %s\n", pairs[i], pairs[i+1])
		}
	}
	return b.String()
}

// transient reports whether the command may succeed if it is sent again: the
// status says so, and it is none that is about the command itself.
func transient(err error) bool {
	var cmd *CommandError
	if !errors.As(err, &cmd) {
		return errors.Is(err, ErrNotLive)
	}
	if cmd.Status.DNR() {
		return false
	}
	switch cmd.Status.Code() {
	case StatusInternalError, StatusAbortRequested, StatusInterrupted, StatusTransientTransport, StatusNamespaceNotReady,
		StatusMediaNotReady, StatusDataTransferError, StatusPathInternalError, StatusControllerPathError,
		StatusHostPathError, StatusAbortedByHost:
		return true
	}
	return false
}

// retries is how often a command is sent again.
const retries = 4

// retry calls send again as long as that may help: after the delay that the drive
// asks for (CRD), or else one that grows.
func (f *Follow) retry(ctx context.Context, id *IdentifyController, send func() error) error {
	backoff := 50 * time.Millisecond
	for attempt := 0; ; attempt++ {
		err := send()
		if err == nil || attempt == retries || !transient(err) {
			return err
		}
		delay := backoff
		if cmd := (*CommandError)(nil); errors.As(err, &cmd) {
			delay = max(delay, id.RetryDelay(cmd.Status))
		}
		if wait := f.wait(ctx, delay); wait != nil {
			return errors.Join(wait, err)
		}
		backoff *= 4
	}
}

// untilReady calls look until it succeeds, for a controller that comes up again.
func (f *Follow) untilReady(ctx context.Context, within time.Duration, look func() error) error {
	const poll = 100 * time.Millisecond
	for waited := time.Duration(0); ; waited += poll {
		err := look()
		if err == nil || !transient(err) && !errors.Is(err, ErrExpired) || waited >= within {
			return err
		}
		if wait := f.wait(ctx, poll); wait != nil {
			return errors.Join(wait, err)
		}
	}
}

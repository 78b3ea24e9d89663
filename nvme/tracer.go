package nvme

import (
	"context"
	"fmt"
	"time"
)

// A Trace is a command that went through a [Tracer], and what came of it.
type Trace struct {
	Command    Command // with its buffers, which belong to the command's caller
	Completion Completion
	Err        error // the transport's
	Begin      time.Time
	Took       time.Duration

	// Operation is set, and Command is not, for what was not a command.
	Operation Operation
}

// String shows the command and its outcome in one line.
func (t Trace) String() string {
	what := t.Operation.String()
	if t.Operation == 0 {
		what = t.Command.String()
	}
	switch {
	case t.Err != nil:
		return fmt.Sprintf("%s: %v (%v)", what, t.Err, t.Took)
	case t.Operation != 0:
		return fmt.Sprintf("%s: done (%v)", what, t.Took)
	case t.Completion.Result != 0:
		return fmt.Sprintf("%s: %v, result %Xh (%v)", what, t.Completion.Status, t.Completion.Result, t.Took)
	}
	return fmt.Sprintf("%s: %v (%v)", what, t.Completion.Status, t.Took)
}

// NewTracer returns a Transport that tells trace of every command that goes
// through t, once it is done. trace is called in the goroutine of Submit, and
// must be safe for several if Submit is used so.
func NewTracer(t Transport, trace func(Trace)) *Tracer { return &Tracer{t, trace} }

// Tracer is a Transport that shows what passes through it; see [NewTracer].
type Tracer struct {
	t     Transport
	trace func(Trace)
}

// Submit implements [Transport].
func (t *Tracer) Submit(ctx context.Context, cmd Command) (Completion, error) {
	begin := time.Now()
	done, err := t.t.Submit(ctx, cmd)
	t.trace(Trace{Command: cmd, Completion: done, Err: err, Begin: begin, Took: time.Since(begin)})
	return done, err
}

// Operate implements [Operator].
func (t *Tracer) Operate(ctx context.Context, op Operation) error {
	begin := time.Now()
	err := operate(ctx, t.t, op)
	t.trace(Trace{Operation: op, Err: err, Begin: begin, Took: time.Since(begin)})
	return err
}

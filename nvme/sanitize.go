package nvme

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// SanitizeAction is what Sanitize does.
type SanitizeAction uint8

// Sanitize actions.
const (
	ExitFailureMode  SanitizeAction = 1 // leave the state that a failed sanitize has left the drive in
	BlockErase       SanitizeAction = 2
	Overwrite        SanitizeAction = 3
	CryptoEraseMedia SanitizeAction = 4
)

// String names the action.
func (a SanitizeAction) String() string {
	switch a {
	case ExitFailureMode:
		return "exit failure mode"
	case BlockErase:
		return "block erase"
	case Overwrite:
		return "overwrite"
	case CryptoEraseMedia:
		return "crypto erase"
	}
	return fmt.Sprintf("sanitize action %d", uint8(a))
}

// SanitizeOptions are the parameters of Sanitize: NVMe Base 2.0, 5.24.
type SanitizeOptions struct {
	// Action is what to do. There is no default.
	Action SanitizeAction
	// AllowUnrestrictedExit lets the drive be used again, data and all, after a
	// sanitize that failed (AUSE).
	AllowUnrestrictedExit bool
	// Passes is how often Overwrite writes, 1 to 16; 0 is once.
	Passes int
	// Pattern is what Overwrite writes.
	Pattern uint32
	// InvertPattern inverts the pattern from one pass to the next (OIPBP).
	InvertPattern bool
	// NoDeallocate leaves the media allocated (NDAS).
	NoDeallocate bool
}

// Sanitize starts a sanitize operation, which destroys the data of every
// namespace of the NVM subsystem, for good. It goes on by itself, through
// resets and power cycles; [Controller.SanitizeLog] tells how far it is. The
// action is checked against Identify before.
func (c *Controller) Sanitize(ctx context.Context, o SanitizeOptions) error {
	if err := c.CheckSanitize(ctx, o); err != nil {
		return err
	}
	passes := 0
	if o.Action == Overwrite {
		passes = max(o.Passes, 1)
	}
	_, err := c.Do(ctx, Command{
		Opcode: AdminSanitize, Timeout: sanitizeTimeout, CDW11: o.Pattern,
		// 16 passes are encoded as 0.
		CDW10: uint32(o.Action) | bit(o.AllowUnrestrictedExit, 3) | uint32(passes)&0xf<<4 |
			bit(o.InvertPattern, 8) | bit(o.NoDeallocate, 9),
	})
	return err
}

// sanitizeTimeout bounds the command that starts a sanitize, where the context
// does not.
const sanitizeTimeout = 10 * time.Minute

// CheckSanitize makes the checks of Sanitize, and sanitizes nothing.
func (c *Controller) CheckSanitize(ctx context.Context, o SanitizeOptions) error {
	const op = "sanitize"
	switch {
	case o.Action < ExitFailureMode || o.Action > CryptoEraseMedia:
		return &ArgumentError{op, "Action", o.Action, "one of the constants"}
	case o.Passes < 0 || o.Passes > 16:
		return &ArgumentError{op, "Passes", o.Passes, "1 to 16"}
	case o.Action != Overwrite && (o.Passes > 0 || o.Pattern != 0 || o.InvertPattern):
		return &ArgumentError{op, "Passes, Pattern and InvertPattern", "set", fmt.Sprintf("unset: %v has none", o.Action)}
	}
	id, err := c.Identify(ctx)
	if err != nil {
		return err
	}
	need := map[SanitizeAction]SanitizeCapabilities{
		ExitFailureMode:  SupportsBlockErase | SupportsOverwrite | SupportsCryptoErase,
		BlockErase:       SupportsBlockErase,
		Overwrite:        SupportsOverwrite,
		CryptoEraseMedia: SupportsCryptoErase,
	}[o.Action]
	if id.Sanitize&need == 0 {
		return fmt.Errorf("nvme: sanitize: %v: the drive offers %v: %w", o.Action, id.Sanitize, errors.ErrUnsupported)
	}
	return nil
}

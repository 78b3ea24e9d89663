package volume

import "context"

// Replanner is a [Plan] that can be moved to another geometry with less work than
// planning anew takes, since what it knows of its content stays as it is. A volume
// that is fitted to its content is planned without a size first, and then moved to
// where it will lie.
type Replanner interface {
	Plan
	// Replan returns what the content's Plan would return for g, which may differ
	// from the plan's own geometry in Offset and Size. The plan itself may not be
	// used any more.
	Replan(ctx context.Context, g Geometry) (Plan, error)
}

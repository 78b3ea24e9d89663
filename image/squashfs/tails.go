package squashfs

import "fmt"

// Tails says which files' tails are packed together: what a file has behind its
// last whole block. Readers have to read a block of others' tails for each.
type Tails uint8

// The zero value packs files of less than a block, as mksquashfs does.
const (
	TailsSmall  Tails = iota
	TailsAlways       // of larger files, too
	TailsNever
)

var tailsNames = [...]string{TailsSmall: "small", TailsAlways: "always", TailsNever: "never"}

// String returns "small", "always" or "never".
func (t Tails) String() string {
	if int(t) >= len(tailsNames) {
		return fmt.Sprintf("Tails(%d)", uint8(t))
	}
	return tailsNames[t]
}

// ParseTails returns the tails with a name.
func ParseTails(name string) (Tails, error) {
	for t, n := range tailsNames {
		if n == name {
			return Tails(t), nil
		}
	}
	return 0, fmt.Errorf("squashfs: tails %q: %w: want small, always or never", name, ErrOption)
}

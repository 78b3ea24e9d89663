package nvme

import (
	"fmt"
	"strings"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// A Structure is a data structure of the specification with a fixed size:
// [IdentifyController], [SMARTLog] and so on. [Decode] and [Encode] carry it
// from and to bytes; between the two, reserved areas are zeroed.
type Structure interface {
	size() int // bytes
	walk(w *wire.Walker)
}

// Decode reads the structure from the start of b, which may be longer. A
// shorter b is a [DecodeError] and leaves s as it was. s keeps no part of b.
func Decode(b []byte, s Structure) error {
	if len(b) < s.size() {
		return &DecodeError{structureName(s), fmt.Sprintf("%d bytes, want %d", len(b), s.size())}
	}
	if err := wire.Decode(b, s.walk); err != nil {
		return &DecodeError{structureName(s), err.Error()}
	}
	return nil
}

// Encode returns the structure's bytes: what an emulated drive answers with.
// It fails for a text longer than its field and a number or a list too large
// for its own.
func Encode(s Structure) ([]byte, error) {
	b := make([]byte, s.size())
	if err := wire.Encode(b, s.walk); err != nil {
		return nil, fmt.Errorf("nvme: encode %s: %w", structureName(s), err)
	}
	return b, nil
}

// nested walks s as a part of the structure that w is at.
func nested(w *wire.Walker, off int, s Structure) { w.Nested(off, s.size(), s, s.walk) }

// structureName returns the name of s's type without its package.
func structureName(s any) string {
	name := fmt.Sprintf("%T", s)
	return name[strings.LastIndexByte(name, '.')+1:]
}

package nvme

import (
	"encoding/hex"
	"fmt"
)

// UUID is a universally unique identifier in the order of RFC 4122.
type UUID [16]byte

// String returns the canonical form, such as
// "01234567-89ab-cdef-0123-456789abcdef".
func (u UUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// MarshalText returns String.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// NGUID is a namespace's globally unique identifier, in big-endian order as in
// the specification. All zero is none.
type NGUID [16]byte

// String returns 32 hexadecimal digits.
func (g NGUID) String() string { return hex.EncodeToString(g[:]) }

// MarshalText returns String.
func (g NGUID) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// EUI64 is an IEEE extended unique identifier, in big-endian order as in the
// specification. All zero is none.
type EUI64 [8]byte

// String returns 16 hexadecimal digits.
func (e EUI64) String() string { return hex.EncodeToString(e[:]) }

// MarshalText returns String.
func (e EUI64) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

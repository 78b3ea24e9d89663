package nvme

import (
	"math"
	"math/big"
)

// Uint128 is a 128-bit counter. Nothing in this package clamps one.
type Uint128 struct{ Lo, Hi uint64 }

// Big returns the number as a new big.Int.
func (u Uint128) Big() *big.Int {
	b := new(big.Int).SetUint64(u.Hi)
	return b.Lsh(b, 64).Or(b, new(big.Int).SetUint64(u.Lo))
}

// Uint64 returns the number, and whether it fits.
func (u Uint128) Uint64() (n uint64, ok bool) { return u.Lo, u.Hi == 0 }

// Float64 returns the nearest float64.
func (u Uint128) Float64() float64 { return math.Ldexp(float64(u.Hi), 64) + float64(u.Lo) }

// String returns the number in decimal.
func (u Uint128) String() string { return u.Big().String() }

// MarshalJSON writes a JSON number of up to 39 digits.
func (u Uint128) MarshalJSON() ([]byte, error) { return u.Big().Append(nil, 10), nil }

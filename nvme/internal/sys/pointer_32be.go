//go:build mips

package sys

import "unsafe"

// Pointer is a pointer in a field of 64 bits. It is one to the garbage
// collector too, so that what it points to is neither freed nor forgotten when
// a stack moves.
type Pointer struct {
	_   uint32
	ptr unsafe.Pointer
}

package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

type mode uint8

const (
	decoding mode = iota
	encoding
	listing
)

// A Walker visits the fields of one structure in one direction. Offsets given
// to its functions count from the start of the structure being walked; see
// [Walker.Nested].
type Walker struct {
	mode   mode
	b      []byte
	base   int
	depth  int
	err    error
	fields []Field
}

// A Field is one entry of a structure's layout.
type Field struct {
	Offset, Size int // bytes
	Ptr          any // where the Go value is; nil for a reserved area
}

// Decode walks the structure from b into its fields. b must hold the whole
// structure; the caller has checked that.
func Decode(b []byte, walk func(*Walker)) error {
	w := Walker{mode: decoding, b: b}
	walk(&w)
	return w.err
}

// Encode walks the structure from its fields into b, which must be zeroed and
// hold the whole structure. It fails for a text that does not fit its field
// and a number that has too many bits.
func Encode(b []byte, walk func(*Walker)) error {
	w := Walker{mode: encoding, b: b}
	walk(&w)
	return w.err
}

// Fields lists the structure's layout in the order of the walk. A nested
// structure is one field.
func Fields(walk func(*Walker)) []Field {
	w := Walker{mode: listing}
	walk(&w)
	return w.fields
}

// Decoding reports whether the walk goes from bytes to values.
func (w *Walker) Decoding() bool { return w.mode == decoding }

// Encoding reports whether the walk goes from values to bytes.
func (w *Walker) Encoding() bool { return w.mode == encoding }

// Failf lets the walk fail, unless it already has.
func (w *Walker) Failf(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// Reserved names an area that carries nothing. It is neither read nor written.
func (w *Walker) Reserved(off, size int) { w.at(off, size, nil) }

// at returns the bytes of a field, or nil where there is nothing to copy.
func (w *Walker) at(off, size int, ptr any) []byte {
	if w.mode == listing {
		if w.depth == 0 {
			w.fields = append(w.fields, Field{off, size, ptr})
		}
		return nil
	}
	return w.b[w.base+off : w.base+off+size]
}

// Nested walks a structure of size bytes that lies at off within this one.
func (w *Walker) Nested(off, size int, ptr any, walk func(*Walker)) {
	if w.mode == listing {
		w.at(off, size, ptr)
		return
	}
	base := w.base
	w.base += off
	walk(w)
	w.base = base
}

// U8 visits one byte.
func U8[T ~uint8](w *Walker, off int, p *T) {
	b := w.at(off, 1, p)
	switch w.mode {
	case decoding:
		*p = T(b[0])
	case encoding:
		b[0] = byte(*p)
	}
}

// U16 visits a 16-bit number.
func U16[T ~uint16](w *Walker, off int, p *T) {
	b := w.at(off, 2, p)
	switch w.mode {
	case decoding:
		*p = T(binary.LittleEndian.Uint16(b))
	case encoding:
		binary.LittleEndian.PutUint16(b, uint16(*p))
	}
}

// U24 visits a 24-bit number.
func U24[T ~uint32](w *Walker, off int, p *T) {
	b := w.at(off, 3, p)
	switch w.mode {
	case decoding:
		*p = T(b[0]) | T(b[1])<<8 | T(b[2])<<16
	case encoding:
		if *p >= 1<<24 {
			w.Failf("offset %d: %#x has more than 24 bits", w.base+off, uint32(*p))
		}
		b[0], b[1], b[2] = byte(*p), byte(*p>>8), byte(*p>>16)
	}
}

// U32 visits a 32-bit number.
func U32[T ~uint32](w *Walker, off int, p *T) {
	b := w.at(off, 4, p)
	switch w.mode {
	case decoding:
		*p = T(binary.LittleEndian.Uint32(b))
	case encoding:
		binary.LittleEndian.PutUint32(b, uint32(*p))
	}
}

// U48 visits a 48-bit number.
func U48[T ~uint64](w *Walker, off int, p *T) {
	b := w.at(off, 6, p)
	switch w.mode {
	case decoding:
		*p = T(binary.LittleEndian.Uint32(b)) | T(binary.LittleEndian.Uint16(b[4:]))<<32
	case encoding:
		if *p >= 1<<48 {
			w.Failf("offset %d: %#x has more than 48 bits", w.base+off, uint64(*p))
		}
		binary.LittleEndian.PutUint32(b, uint32(*p))
		binary.LittleEndian.PutUint16(b[4:], uint16(*p>>32))
	}
}

// U64 visits a 64-bit number.
func U64[T ~uint64](w *Walker, off int, p *T) {
	b := w.at(off, 8, p)
	switch w.mode {
	case decoding:
		*p = T(binary.LittleEndian.Uint64(b))
	case encoding:
		binary.LittleEndian.PutUint64(b, uint64(*p))
	}
}

// U128 visits a 128-bit number.
func U128[T ~struct{ Lo, Hi uint64 }](w *Walker, off int, p *T) {
	b := w.at(off, 16, p)
	switch w.mode {
	case decoding:
		*p = T(struct{ Lo, Hi uint64 }{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])})
	case encoding:
		v := struct{ Lo, Hi uint64 }(*p)
		binary.LittleEndian.PutUint64(b, v.Lo)
		binary.LittleEndian.PutUint64(b[8:], v.Hi)
	}
}

// Bytes visits an area that is kept as it is. p is the whole of an array.
func (w *Walker) Bytes(off int, p []byte) {
	b := w.at(off, len(p), p)
	switch w.mode {
	case decoding:
		copy(p, b)
	case encoding:
		copy(b, p)
	}
}

// Text visits an ASCII text of size bytes, padded with spaces. Decoding takes
// padding off at both ends, be it spaces or NULs: drives are seen to use either.
func (w *Walker) Text(off, size int, p *string) {
	b := w.at(off, size, p)
	switch w.mode {
	case decoding:
		*p = string(bytes.Trim(b, " \x00"))
	case encoding:
		if len(*p) > size {
			w.Failf("offset %d: text %q is longer than %d bytes", w.base+off, *p, size)
			return
		}
		for i := copy(b, *p); i < size; i++ {
			b[i] = ' '
		}
	}
}

// UTF8 visits a text of size bytes that ends at its first NUL, such as an NVMe
// Qualified Name.
func (w *Walker) UTF8(off, size int, p *string) {
	b := w.at(off, size, p)
	switch w.mode {
	case decoding:
		text, _, _ := bytes.Cut(b, []byte{0})
		*p = string(text)
	case encoding:
		if len(*p) > size || strings.Contains(*p, "\x00") {
			w.Failf("offset %d: text %q is longer than %d bytes or holds a NUL", w.base+off, *p, size)
			return
		}
		copy(b, *p)
	}
}

// Area visits an area whose content has a form of its own, such as a list that
// ends at a zero, and returns its bytes: to be read when Decoding, written when
// Encoding. It is nil when the walk lists the layout.
func (w *Walker) Area(off, size int, ptr any) []byte { return w.at(off, size, ptr) }

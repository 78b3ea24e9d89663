package filetree

import (
	"encoding/binary"
	"time"
)

// append appends x in the form in which extras hold it, of which decode is the
// inverse. It is seen by nobody else.
func (x *extra) append(b []byte) []byte {
	b = appendString(b, x.target)
	b = appendTime(b, x.access)
	b = appendTime(b, x.change)
	b = binary.AppendUvarint(b, uint64(len(x.xattrs)))
	for _, a := range x.xattrs {
		b = appendString(b, a.Name)
		b = appendString(b, a.Value)
	}
	if x.data == nil {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(x.data)))
	end := int64(0)
	for _, r := range x.data {
		b = binary.AppendUvarint(b, uint64(r.Offset-end))
		b = binary.AppendUvarint(b, uint64(r.Length))
		end = r.End()
	}
	return b
}

func appendString[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendTime appends a time, with a 0 before it where it is the zero time.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.AppendUvarint(binary.AppendVarint(append(b, 1), t.Unix()), uint64(t.Nanosecond()))
}

// decode sets x, which is zero, from what append has made. The values of its
// attributes are parts of b.
func (x *extra) decode(b []byte) {
	r := extraReader(b)
	x.target = string(r.bytes())
	x.access, x.change = r.time(), r.time()
	if n := r.uvarint(); n > 0 {
		x.xattrs = make([]Xattr, n)
	}
	for i := range x.xattrs {
		x.xattrs[i] = Xattr{Name: string(r.bytes()), Value: r.bytes()}
	}
	if len(r) == 0 {
		return
	}
	x.data = make([]Range, r.uvarint())
	end := int64(0)
	for i := range x.data {
		x.data[i] = Range{Offset: end + int64(r.uvarint()), Length: int64(r.uvarint())}
		end = x.data[i].End()
	}
}

// extraReader is what is left of an extra to be decoded.
type extraReader []byte

func (r *extraReader) uvarint() uint64 {
	v, n := binary.Uvarint(*r)
	*r = (*r)[n:]
	return v
}

func (r *extraReader) bytes() []byte {
	n := r.uvarint()
	b := (*r)[:n:n]
	*r = (*r)[n:]
	return b
}

func (r *extraReader) time() time.Time {
	if r.uvarint() == 0 {
		return time.Time{}
	}
	sec, n := binary.Varint(*r)
	*r = (*r)[n:]
	return time.Unix(sec, int64(r.uvarint())).UTC()
}

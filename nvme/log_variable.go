package nvme

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// mostLog bounds what a drive can make us allocate, in bytes.
const mostLog = 64 << 20

// logOf reads a log whose head, of a few bytes, says how long it is.
func (c *Controller) logOf(ctx context.Context, r LogPageRequest, head int, size func(head []byte) uint64) ([]byte, error) {
	page := make([]byte, head)
	first := r
	first.RetainEvent = true
	if err := c.LogPage(ctx, first, page); err != nil {
		return nil, err
	}
	n := size(page)
	if n > mostLog {
		return nil, fmt.Errorf("nvme: get log page %02Xh: %d bytes long, want at most %d: %w", uint8(r.ID), n, mostLog, errors.ErrUnsupported)
	}
	page = make([]byte, max(head, int(n+3)&^3))
	return page, c.LogPage(ctx, r, page)
}

// logUntil reads a log that has to be decoded to know how long it is: more and more
// of it, until walk finds its end.
func logUntil[T any](ctx context.Context, c *Controller, r LogPageRequest, structure string, walk func(*listDecoder) *T) (*T, error) {
	for size := 4096; ; size *= 4 {
		page := make([]byte, size)
		if err := c.LogPage(ctx, r, page); err != nil {
			return nil, err
		}
		d := &listDecoder{structure: structure, rest: page}
		l, err := decodeList(d, walk)
		if !d.short || size*4 > mostLog {
			return l, err
		}
	}
}

// A listDecoder takes structures of varying length off a page. Once one has reached
// past its end, there is only zeros.
type listDecoder struct {
	structure string
	rest      []byte
	short     bool // the page ends too early
	err       error
}

// decodeList lets walk take a structure off.
func decodeList[T any](d *listDecoder, walk func(*listDecoder) *T) (*T, error) {
	l := walk(d)
	if d.err != nil {
		return nil, d.err
	}
	return l, nil
}

// A part is what was taken: nil reads as zeros.
type part []byte

func (d *listDecoder) take(n int, what string) part {
	if d.err != nil {
		return nil
	}
	if n > len(d.rest) {
		d.short, d.err = true, &DecodeError{d.structure, what + " reaches past the page"}
		return nil
	}
	p := part(d.rest[:n])
	d.rest = d.rest[n:]
	return p
}

// ids takes a list of 16-bit identifiers.
func (d *listDecoder) ids(n int, what string) (ids []uint16) {
	p := d.take(2*n, what)
	for ; len(p) > 0; p = p[2:] {
		ids = append(ids, p.u16(0))
	}
	return ids
}

func (p part) u8(off int) uint8 {
	if p == nil {
		return 0
	}
	return p[off]
}

func (p part) u16(off int) uint16 {
	if p == nil {
		return 0
	}
	return binary.LittleEndian.Uint16(p[off:])
}

func (p part) u128(off int) Uint128 {
	if p == nil {
		return Uint128{}
	}
	return Uint128{Lo: binary.LittleEndian.Uint64(p[off:]), Hi: binary.LittleEndian.Uint64(p[off+8:])}
}

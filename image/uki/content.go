package uki

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/parts"
	"github.com/drivebay/drivebay/image/internal/pecoff"
)

// assembly is an image of which the place of every byte is known.
type assembly struct {
	stub     []byte // without a checksum
	checksum int    // where that is in the stub
	rest     []parts.Part
	size     int64
}

// openUnsummed opens the image without a checksum.
func (a *assembly) openUnsummed() (filetree.Content, error) { return a.read(a.stub), nil }

// open opens the image. The checksum at its head is of all of it, so that the
// parts are read once more before.
func (a *assembly) open() (filetree.Content, error) {
	sum := pecoff.Checksum{}
	r := a.read(a.stub)
	_, err := io.Copy(&sum, r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	stub := append([]byte(nil), a.stub...)
	binary.LittleEndian.PutUint32(stub[a.checksum:], sum.Value())
	return a.read(stub), nil
}

// read returns a reader of a stub and of all that is behind it.
func (a *assembly) read(stub []byte) *parts.Reader {
	return parts.NewReader(append([]parts.Part{parts.Bytes("stub", stub)}, a.rest...)...)
}

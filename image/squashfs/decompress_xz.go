package squashfs

import (
	"bytes"
	"fmt"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"github.com/drivebay/drivebay/image/volume"
)

// Parts of an xz stream (The .xz File Format 1.1.0, 2.1.1 and 3.1).
const (
	xzHeaderLen     = 12
	xzFilters       = 3 // in a block's flags: their number less one
	xzCompressed    = 0x40
	xzUncompressed  = 0x80
	xzLZMA2         = 0x21
	xzMaxFieldBytes = 9
)

// xzDecompressor decompresses streams of xz whose dictionaries are no larger than
// it says, in bytes, as the kernel does.
type xzDecompressor int

func (x xzDecompressor) decompress(dst, src []byte) (int, error) {
	if err := x.check(src); err != nil {
		return 0, err
	}
	r, err := xz.ReaderConfig{DictCap: int(x), SingleStream: true}.NewReader(bytes.NewReader(src))
	if err != nil {
		return 0, damaged("%w", err)
	}
	return readBlock(dst, r)
}

// check refuses what the header of the first block says: the library would make
// room for a dictionary of 4 GiB, and has no filters for machine code.
func (x xzDecompressor) check(src []byte) error {
	if len(src) < xzHeaderLen+2 {
		return damaged("stream of xz has %d bytes: want more than %d", len(src), xzHeaderLen)
	}
	flags, rest := src[xzHeaderLen+1], src[xzHeaderLen+2:]
	for _, field := range []byte{xzCompressed, xzUncompressed} {
		if flags&field != 0 {
			rest = skipXZNumber(rest)
		}
	}
	if len(rest) < 3 {
		return damaged("stream of xz ends in the header of its block")
	}
	if id := rest[0]; flags&xzFilters != 0 || id != xzLZMA2 {
		return fmt.Errorf("%w: %d filters of xz, the first of which is %#02x: want %#02x alone", volume.ErrFeature, flags&xzFilters+1, id, xzLZMA2)
	}
	dict, err := lzma.DecodeDictCap(rest[2])
	if err != nil {
		return damaged("%w", err)
	}
	if dict > int64(x) {
		return damaged("stream of xz has a dictionary of %d bytes: want at most %d", dict, int(x))
	}
	return nil
}

// skipXZNumber returns what is behind a number, whose bytes but for the last have
// their highest bit set.
func skipXZNumber(b []byte) []byte {
	for i := range min(len(b), xzMaxFieldBytes) {
		if b[i] < 0x80 {
			return b[i+1:]
		}
	}
	return nil
}

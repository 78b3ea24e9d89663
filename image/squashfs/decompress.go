package squashfs

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/drivebay/drivebay/image/volume"
)

// decompressor decompresses a block into dst, which it has to fit, and returns how
// long it is. It may be called by several goroutines.
type decompressor func(dst, src []byte) (int, error)

// namesNotRead are the ways to compress that are not read here, by their numbers.
var namesNotRead = map[uint16]string{2: "lzma", 3: "lzo"}

// newDecompressor returns the decompressor of the compression with a number.
func newDecompressor(id uint16, blockSize int) (decompressor, error) {
	switch id {
	case compressions[Gzip].id:
		return new(gzipDecompressor).decompress, nil
	case compressions[Zstd].id:
		most := max(blockSize, metaBlockLen)
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(most)), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true))
		return zstdDecompressor{d}.decompress, err
	case compressions[LZ4].id:
		return decompressLZ4, nil
	case compressions[XZ].id:
		return xzDecompressor(max(blockSize, metaBlockLen)).decompress, nil
	}
	if name, ok := namesNotRead[id]; ok {
		return nil, fmt.Errorf("%w: it is compressed by %s: want %s", volume.ErrFeature, name, compressionNames)
	}
	return nil, damaged("the superblock has compression %d: want 1 to 6", id)
}

// gzipDecompressor keeps decoders for the next block.
type gzipDecompressor struct{ idle sync.Pool }

func (g *gzipDecompressor) decompress(dst, src []byte) (int, error) {
	r, _ := g.idle.Get().(io.Reader)
	if r == nil {
		z, err := zlib.NewReader(bytes.NewReader(src))
		if err != nil {
			return 0, damaged("%w", err)
		}
		r = z
	} else if err := r.(zlib.Resetter).Reset(bytes.NewReader(src), nil); err != nil {
		return 0, damaged("%w", err)
	}
	n, err := readBlock(dst, r)
	g.idle.Put(r)
	return n, err
}

// readBlock reads a block that has to fit dst, and nothing behind it but what r
// compares of its own, such as a checksum.
func readBlock(dst []byte, r io.Reader) (n int, err error) {
	for n < len(dst) && err == nil {
		var k int
		k, err = r.Read(dst[n:])
		n += k
	}
	if err == nil {
		var more [1]byte
		if _, err = io.ReadFull(r, more[:]); err == nil {
			err = fmt.Errorf("it has more than %d bytes", len(dst))
		}
	}
	if err != io.EOF {
		return 0, damaged("%w", err)
	}
	return n, nil
}

type zstdDecompressor struct{ d *zstd.Decoder }

func (z zstdDecompressor) decompress(dst, src []byte) (int, error) {
	b, err := z.d.DecodeAll(src, dst[:0:len(dst)])
	if err != nil {
		return 0, damaged("%w", err)
	}
	return len(b), nil
}

func decompressLZ4(dst, src []byte) (int, error) {
	n, err := lz4.UncompressBlock(src, dst)
	if err != nil {
		return 0, damaged("%w", err)
	}
	return n, nil
}

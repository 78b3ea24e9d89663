package squashfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// Compression is a way to compress. The zero value is zstd.
type Compression uint8

// The ways to compress that are written here. All kernels have gzip, Linux 4.14
// and later zstd, 3.19 and later lz4, 2.6.38 and later xz, each where it was
// configured.
const (
	Zstd Compression = iota
	Gzip
	// XZ has one level, and no filters for machine code: images are larger than
	// those of xz itself.
	XZ
	// None leaves everything as it is.
	None
	LZ4
)

var compressions = [...]struct {
	name     string
	id       uint16 // in the superblock
	def, max int    // levels
	tools    int    // the level that mksquashfs has where an image states none, -1 if it has to
}{
	Zstd: {"zstd", 6, 3, 22, 15},
	Gzip: {"gzip", 1, 6, 9, 9},
	XZ:   {"xz", 4, 0, 0, 0},
	None: {"none", 1, 0, 0, 0},
	LZ4:  {"lz4", 5, 0, 9, -1},
}

// String returns the name of the compression, "zstd".
func (c Compression) String() string {
	if int(c) >= len(compressions) {
		return fmt.Sprintf("Compression(%d)", uint8(c))
	}
	return compressions[c].name
}

// compressionNames are all names, as errors list them.
const compressionNames = "zstd, gzip, xz, lz4 or none"

// ParseCompression returns the compression with a name.
func ParseCompression(name string) (Compression, error) {
	for c, k := range compressions {
		if k.name == name {
			return Compression(c), nil
		}
	}
	return 0, fmt.Errorf("squashfs: compression %q: %w: want "+compressionNames, name, ErrOption)
}

// level returns the level that a level asked for stands for.
func (c Compression) level(asked int) int {
	if asked == 0 {
		return compressions[c].def
	}
	return asked
}

// lz4Legacy is LZ4_LEGACY: blocks have no header of their own.
const lz4Legacy = 1

// lz4HC is LZ4_HC: more was tried than once for each place.
const lz4HC = 1

// options returns what an image has to state of how it was compressed. No reader
// but that of lz4 needs it; unsquashfs -s shows it.
func (c Compression) options(level int) []byte {
	le := binary.LittleEndian
	switch {
	case level == compressions[c].tools:
		return nil
	case c == Zstd: // struct zstd_comp_opts of mksquashfs
		return le.AppendUint32(nil, uint32(level))
	case c == Gzip: // struct gzip_comp_opts: level, window, strategies
		return le.AppendUint16(le.AppendUint16(le.AppendUint32(nil, uint32(level)), 15), 0)
	case c == LZ4: // struct lz4_comp_opts: version, flags
		return le.AppendUint32(le.AppendUint32(nil, lz4Legacy), uint32(min(level, lz4HC)))
	}
	return nil
}

// compressor compresses blocks one by one, for one goroutine.
type compressor interface {
	// compress returns src compressed, in the room of dst where that suffices.
	// What it returns depends on src alone.
	compress(dst, src []byte) ([]byte, error)
}

// newCompressor returns a compressor of blocks of up to blockSize bytes.
func newCompressor(c Compression, level, blockSize int) (compressor, error) {
	switch c {
	case Zstd:
		// The kernel has no more memory for a window than a block is long.
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(max(blockSize, metaBlockLen)), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
		return zstdCompressor{e}, err
	case Gzip:
		w, err := zlib.NewWriterLevel(nil, level)
		return &gzipCompressor{w: w}, err
	case XZ:
		config := xz.WriterConfig{DictCap: max(blockSize, metaBlockLen), CheckSum: xz.CRC32}
		return xzCompressor{config}, config.Verify()
	case LZ4:
		if level == 0 {
			return lz4Compressor{&lz4.Compressor{}}, nil
		}
		return lz4Compressor{&lz4.CompressorHC{Level: 1 << (8 + level)}}, nil // as lz4.Level1 to lz4.Level9
	}
	return nil, nil
}

type zstdCompressor struct{ e *zstd.Encoder }

func (c zstdCompressor) compress(dst, src []byte) ([]byte, error) {
	return c.e.EncodeAll(src, dst[:0]), nil
}

type gzipCompressor struct{ w *zlib.Writer }

func (c *gzipCompressor) compress(dst, src []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst[:0])
	c.w.Reset(out)
	if _, err := c.w.Write(src); err != nil {
		return nil, err
	}
	err := c.w.Close()
	return out.Bytes(), err
}

// xzCompressor makes streams as the kernel's decoder takes them: one block, with
// a dictionary no longer than a block of data and a CRC32.
type xzCompressor struct{ config xz.WriterConfig }

func (c xzCompressor) compress(dst, src []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst[:0])
	w, err := c.config.NewWriter(out)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(src); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

type lz4Compressor struct {
	c interface {
		CompressBlock(src, dst []byte) (int, error)
	}
}

// compress gives the library all the room that it may need: with less it would
// give up early.
func (c lz4Compressor) compress(dst, src []byte) ([]byte, error) {
	dst = slices.Grow(dst[:0], lz4.CompressBlockBound(len(src)))
	dst = dst[:cap(dst)]
	n, err := c.c.CompressBlock(src, dst)
	return dst[:n], err
}

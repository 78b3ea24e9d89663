package output

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// ZstdFrameSize is how much of a disk is a frame of its own in a [Zstd] file, in
// bytes. Larger ones would hardly compress better: it is the default window.
const ZstdFrameSize = 4 << 20

// The seek table (zstd, contrib/seekable_format/zstd_seekable_compression_format.md).
const (
	skippableMagic    = 0x184d2a5e
	seekableMagic     = 0x8f92eab1
	seekFooterSize    = 9    // frames, descriptor, magic
	seekChecksumFlag  = 0x80 // of the descriptor
	maxSeekableFrames = 0x8000000
)

// ZstdOptions are the options of [NewZstd].
type ZstdOptions struct {
	// Workers is how many CPUs compress. Zero is all, up to 8. The file does not
	// depend on it.
	Workers int
}

// Zstd writes a disk compressed, in frames that are independent of one another. A
// decoder takes them for one stream (RFC 8878, 3) and passes over the seek table at
// the end, by which one that knows it reads any place without what is before it.
// It is written front to back: a pipe will do.
type Zstd struct {
	*packer
	w     io.Writer
	size  int64
	enc   *zstd.Encoder
	zeros []byte // a frame of zeros, packed
	next  int64  // the frame that is written next
	table []byte // entries of the seek table
}

// NewZstd returns a writer of a disk of size bytes to w.
func NewZstd(w io.Writer, size int64, o ZstdOptions) (*Zstd, error) {
	if size < 0 || size > maxSeekableFrames*ZstdFrameSize {
		return nil, &OptionError{"zstd", "size", size, fmt.Sprintf("at most %d, the bytes of %d frames", int64(maxSeekableFrames*ZstdFrameSize), maxSeekableFrames)}
	}
	workers := o.Workers
	if workers <= 0 {
		workers = defaultWorkers()
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(workers), zstd.WithWindowSize(ZstdFrameSize))
	if err != nil {
		return nil, err
	}
	z := &Zstd{w: w, size: size, enc: enc, zeros: zeroFrame(enc, ZstdFrameSize)}
	pack := func(dst, data []byte) []byte { return enc.EncodeAll(data, dst) }
	z.packer = newPacker(size, ZstdFrameSize, workers, pack, z.put)
	return z, nil
}

// WriteAt takes bytes of the disk.
func (z *Zstd) WriteAt(p []byte, off int64) (int, error) {
	if err := checkRange("zstd", len(p), off, z.size); err != nil {
		return 0, err
	}
	return z.packer.WriteAt(p, off)
}

// put writes a frame, and before it the frames of zeros that are left out.
func (z *Zstd) put(b *block) error {
	if err := z.skipTo(b.index); err != nil {
		return err
	}
	return z.frame(b.packed, len(b.data))
}

// skipTo writes frames of zeros.
func (z *Zstd) skipTo(index int64) error {
	for z.next < index {
		length := min(ZstdFrameSize, z.size-z.next*ZstdFrameSize)
		packed := z.zeros
		if length < ZstdFrameSize {
			packed = zeroFrame(z.enc, int(length))
		}
		if err := z.frame(packed, int(length)); err != nil {
			return err
		}
	}
	return nil
}

// What zeroFrame writes (RFC 8878, 3.1.1).
const (
	zstdMagic     = 0xfd2fb528
	zstdHeader    = 2<<6 | 1<<5 | 1<<2 // the size in 4 bytes, one segment, a checksum
	zstdMaxBlock  = 128 << 10
	zstdLastBlock = 1
	zstdRLE       = 1 << 1
)

// zeroFrame returns a frame of zeros, in blocks that repeat a byte: as small as the
// format has it, which the encoder does not come near.
func zeroFrame(enc *zstd.Encoder, length int) []byte {
	b := le.AppendUint32(nil, zstdMagic)
	b = append(b, zstdHeader)
	b = le.AppendUint32(b, uint32(length))
	for left := length; left > 0; left -= zstdMaxBlock {
		block := uint32(min(left, zstdMaxBlock)<<3 | zstdRLE)
		if left <= zstdMaxBlock {
			block |= zstdLastBlock
		}
		b = le.AppendUint32(b, block) // 24 bits, and the byte
	}
	packed := enc.EncodeAll(make([]byte, length), nil)
	return append(b, packed[len(packed)-4:]...) // the checksum
}

// frame writes the next frame and enters it in the table. The table's checksum is
// the one that ends the frame: the low half of the content's XXH64 (RFC 8878, 3.1.1).
func (z *Zstd) frame(packed []byte, length int) error {
	z.table = le.AppendUint32(z.table, uint32(len(packed)))
	z.table = le.AppendUint32(z.table, uint32(length))
	z.table = append(z.table, packed[len(packed)-4:]...)
	z.next++
	_, err := z.w.Write(packed)
	return err
}

// Finish writes what is left, and the seek table.
func (z *Zstd) Finish() error {
	if err := z.finish(); err != nil {
		return err
	}
	if err := z.skipTo((z.size + ZstdFrameSize - 1) / ZstdFrameSize); err != nil {
		return err
	}
	b := le.AppendUint32(nil, skippableMagic)
	b = le.AppendUint32(b, uint32(len(z.table)+seekFooterSize))
	b = append(b, z.table...)
	b = le.AppendUint32(b, uint32(z.next))
	b = append(b, seekChecksumFlag)
	b = le.AppendUint32(b, seekableMagic)
	_, err := z.w.Write(b)
	return err
}

// Close ends the writer's goroutines.
func (z *Zstd) Close() error {
	z.packer.close()
	return z.enc.Close()
}

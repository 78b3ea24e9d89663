package output

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// ErrNoSeekTable reports a zstd file without a seek table: it can only be unpacked
// from its start.
var ErrNoSeekTable = errors.New("zstd file has no seek table")

// maxFrame is how much a frame may hold that is read here, in bytes: what has to be
// unpacked for one byte of it.
const maxFrame = 64 << 20

// ZstdReader reads a disk from a zstd file with a seek table, at any place. It may be
// used by several goroutines, of which one unpacks at a time.
type ZstdReader struct {
	r      io.ReaderAt
	frames []zstdFrame
	size   int64
	dec    *zstd.Decoder

	mu    sync.Mutex
	index int    // of the frame that is unpacked, -1 for none
	data  []byte // what is in it
}

// zstdFrame is the place of a frame in the file and on the disk.
type zstdFrame struct{ packedAt, packed, at, length int64 }

// NewZstdReader returns a reader of a file of size bytes. It may be anybody's: what
// makes no sense is an error. It has to be closed.
func NewZstdReader(r io.ReaderAt, size int64) (*ZstdReader, error) {
	frames, err := readSeekTable(r, size)
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrame), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, err
	}
	z := &ZstdReader{r: r, frames: frames, dec: dec, index: -1}
	if n := len(frames); n > 0 {
		z.size = frames[n-1].at + frames[n-1].length
	}
	return z, nil
}

// Size returns the size of the disk in bytes.
func (z *ZstdReader) Size() int64 { return z.size }

// Close gives up the reader's memory. The file stays open.
func (z *ZstdReader) Close() error {
	z.dec.Close()
	return nil
}

// ReadAt reads from the disk.
func (z *ZstdReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("zstd: read at offset %d: want at least 0", off)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	n := 0
	for n < len(p) && off < z.size {
		index := sort.Search(len(z.frames), func(i int) bool { return z.frames[i].at+z.frames[i].length > off })
		if err := z.load(index); err != nil {
			return n, err
		}
		k := copy(p[n:], z.data[off-z.frames[index].at:])
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// load unpacks a frame.
func (z *ZstdReader) load(index int) error {
	if index == z.index {
		return nil
	}
	f := z.frames[index]
	packed := make([]byte, f.packed)
	if _, err := z.r.ReadAt(packed, f.packedAt); err != nil {
		return fmt.Errorf("zstd: frame %d of %d bytes at %d: %w", index, f.packed, f.packedAt, err)
	}
	if int64(cap(z.data)) < f.length {
		z.data = make([]byte, 0, f.length)
	}
	z.index = -1
	data, err := z.dec.DecodeAll(packed, z.data[:0:f.length])
	if err != nil {
		return fmt.Errorf("zstd: frame %d at %d: %w", index, f.packedAt, err)
	}
	if int64(len(data)) != f.length {
		return fmt.Errorf("zstd: frame %d at %d holds %d bytes: want the %d of the seek table", index, f.packedAt, len(data), f.length)
	}
	z.data, z.index = data, index
	return nil
}

// readSeekTable reads the seek table at the end of a file.
func readSeekTable(r io.ReaderAt, size int64) ([]zstdFrame, error) {
	var footer [seekFooterSize]byte
	if size < int64(len(footer)) {
		return nil, ErrNoSeekTable
	}
	if _, err := r.ReadAt(footer[:], size-int64(len(footer))); err != nil {
		return nil, err
	}
	if le.Uint32(footer[5:]) != seekableMagic {
		return nil, ErrNoSeekTable
	}
	entrySize := int64(8)
	switch descriptor := footer[4]; {
	case descriptor&^3 == seekChecksumFlag: // the low bits are unused
		entrySize = 12
	case descriptor&^3 != 0:
		return nil, fmt.Errorf("zstd: seek table with descriptor %#02x: want %#02x or 0", descriptor, seekChecksumFlag)
	}
	count := int64(le.Uint32(footer[:]))
	length := count*entrySize + seekFooterSize
	start := size - length - 8
	if count > maxSeekableFrames || start < 0 {
		return nil, fmt.Errorf("zstd: seek table of %d frames: want what fits the file of %d bytes", count, size)
	}
	table := make([]byte, length+8)
	if _, err := r.ReadAt(table, start); err != nil {
		return nil, err
	}
	if le.Uint32(table) != skippableMagic || int64(le.Uint32(table[4:])) != length {
		return nil, fmt.Errorf("zstd: seek table at %d: want a skippable frame of %d bytes", start, length)
	}
	return parseSeekTable(table[8:][:count*entrySize], int(entrySize), start)
}

// parseSeekTable returns the frames, which have to fill the file before the table.
// Those that hold nothing are left out.
func parseSeekTable(table []byte, entrySize int, end int64) (frames []zstdFrame, err error) {
	packedAt, at := int64(0), int64(0)
	for i := 0; i < len(table); i += entrySize {
		f := zstdFrame{packedAt, int64(le.Uint32(table[i:])), at, int64(le.Uint32(table[i+4:]))}
		if f.length > maxFrame || f.packed > maxFrame {
			return nil, fmt.Errorf("zstd: frame %d of %d bytes, %d unpacked: want at most %d", i/entrySize, f.packed, f.length, maxFrame)
		}
		if f.length > 0 {
			frames = append(frames, f)
		}
		packedAt, at = packedAt+f.packed, at+f.length
	}
	if packedAt != end {
		return nil, fmt.Errorf("zstd: seek table of frames that end at %d: want them to end where the table begins, at %d", packedAt, end)
	}
	return frames, nil
}

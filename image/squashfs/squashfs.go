package squashfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// Sizes of blocks of data, in bytes.
const (
	minBlockSize     = 4 << 10
	maxBlockSize     = 1 << 20
	defaultBlockSize = 128 << 10
)

// align is what the size of an image is a multiple of, as mksquashfs has it, so
// that a device of 4 KiB sectors can hold it.
const align = 4096

// FileSystem describes a squashfs file system. Its zero value is an empty one,
// compressed with zstd.
//
// A FileSystem keeps what its Plan has compressed, and must not be copied. Plan
// may be called by many goroutines.
type FileSystem struct {
	// Tree is what the file system holds. nil is an empty root. Plan sorts it; it
	// must not change from the first Plan on.
	Tree *filetree.Tree
	// Compression is the way to compress. Zero is zstd.
	Compression Compression
	// Level is how hard to try, on the scale of the compression's own tool: 1 to
	// 22 for zstd, of which there are four steps, below 3, 6, 10 and above; 1 to 9
	// for gzip; 1 to 9 for the slow ways of lz4. Zero is 3 for zstd, 6 for gzip and
	// the fast way of lz4. The others have none.
	Level int
	// BlockSize is the unit of compression in bytes, a power of two from 4 KiB to
	// 1 MiB. Zero is 128 KiB. Kernels with larger pages than that cannot mount it.
	BlockSize int
	// Tails says which tails are packed together. Zero is those of small files.
	Tails Tails
	// Drop leaves out what squashfs cannot hold, and lists it in Info.Dropped:
	// extended attributes of other namespaces, such as POSIX ACLs, are left out,
	// and times become the nearest that there is. Else they are refused with an
	// [ErrUnsupported].
	Drop bool
	// TempDir is where there is room for the compressed file system until it is
	// written. "" is the geometry's. Best is the directory of the output: see
	// [volume.Taker].
	TempDir string

	mu     sync.Mutex
	closed bool
	images map[params]*image
}

// Plan compresses the tree and lays the file system out. It implements
// [volume.Content], but reads the contents of files: how long they are once they
// are compressed cannot be known otherwise. All CPUs compress, into an unnamed
// temporary file; planning again, with whatever geometry, uses what there is. An
// output that is nothing but this file system may take the file itself over, see
// [volume.Taker]: then it is compressed again when it is written again.
//
// A geometry without a size gives the smallest volume that holds the tree. What
// does not fit is a [*volume.SizeError] of "bytes"; what squashfs cannot hold is a
// [*filetree.PathError] with the file's name.
func (fs *FileSystem) Plan(ctx context.Context, g volume.Geometry) (volume.Plan, error) {
	p, err := fs.params()
	if err != nil {
		return nil, err
	}
	created := g.Time
	if created.IsZero() {
		created = time.Unix(0, 0)
	}
	if err := checkTime(created); err != nil {
		return nil, err
	}
	dir := cmp.Or(fs.TempDir, g.TempDir)
	fs.mu.Lock()
	defer fs.mu.Unlock()
	m, err := fs.image(ctx, p, dir)
	if err != nil {
		return nil, err
	}
	need := (int64(m.sb.BytesUsed) + align - 1) / align * align
	if g.Size != 0 && g.Size < need {
		return nil, &volume.SizeError{Format: "squashfs", Size: g.Size, Need: need, Resource: "bytes"}
	}
	plan := &plan{fs: fs, params: p, dir: dir, sb: m.sb, files: m.files, dropped: m.dropped, size: cmp.Or(g.Size, need)}
	plan.sb.MkfsTime = uint32(created.Unix())
	return plan, nil
}

// params checks the fields and fills in what is not given.
func (fs *FileSystem) params() (params, error) {
	p := params{fs.Tree, fs.Compression, 0, int64(cmp.Or(fs.BlockSize, defaultBlockSize)), fs.Tails, fs.Drop}
	if int(p.compression) >= len(compressions) {
		return p, fmt.Errorf("squashfs: compression %d: %w: want Zstd, Gzip, XZ, LZ4 or None", p.compression, ErrOption)
	}
	k := compressions[p.compression]
	p.level = p.compression.level(fs.Level)
	switch {
	case k.max == 0 && fs.Level != 0:
		return p, fmt.Errorf("squashfs: level %d: %w: %s has none", fs.Level, ErrOption, p.compression)
	case p.level < 0 || p.level > k.max:
		return p, fmt.Errorf("squashfs: level %d: %w: want 1 to %d with %s", fs.Level, ErrOption, k.max, p.compression)
	case p.blockSize < minBlockSize || p.blockSize > maxBlockSize || p.blockSize&(p.blockSize-1) != 0:
		return p, fmt.Errorf("squashfs: block size %d: %w: want a power of two from %d to %d", fs.BlockSize, ErrOption, minBlockSize, maxBlockSize)
	case p.tails > TailsNever:
		return p, fmt.Errorf("squashfs: tails %d: %w: want TailsSmall, TailsAlways or TailsNever", p.tails, ErrOption)
	}
	return p, nil
}

// image returns the image of the tree, which it makes, in dir, where there is none.
// The caller has the lock.
func (fs *FileSystem) image(ctx context.Context, p params, dir string) (*image, error) {
	if fs.closed {
		return nil, fmt.Errorf("squashfs: %w", ErrClosed)
	}
	if m := fs.images[p]; m != nil {
		return m, nil
	}
	m, err := newImage(ctx, p, dir)
	if err != nil {
		return nil, err
	}
	if fs.images == nil {
		fs.images = map[params]*image{}
	}
	fs.images[p] = m
	return m, nil
}

// use returns the image for a plan to write, until it is released.
func (fs *FileSystem) use(ctx context.Context, p params, dir string) (*image, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	m, err := fs.image(ctx, p, dir)
	if err == nil {
		m.users++
	}
	return m, err
}

func (fs *FileSystem) release(m *image) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	m.users--
}

// give has the output take over the file that an image is in, if the caller is all
// who uses it: whoever wants it next has it made anew.
func (fs *FileSystem) give(w *volume.Writer, p params, m *image, head []byte) (taken bool, err error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if m.users > 1 || fs.images[p] != m {
		return false, nil
	}
	if taken, err = m.spool.give(w, head); taken {
		delete(fs.images, p)
		err = errors.Join(err, m.spool.close())
	}
	return taken, err
}

// Close gives the temporary files back; plans cannot be written any more. Without
// it they are given back when neither the FileSystem nor a plan is in use any
// more. It may be called again.
func (fs *FileSystem) Close() error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var errs []error
	for _, m := range fs.images {
		errs = append(errs, m.spool.close())
	}
	fs.images, fs.closed = nil, true
	return errors.Join(errs...)
}

var _ volume.Content = (*FileSystem)(nil)

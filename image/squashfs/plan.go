package squashfs

import (
	"context"
	"fmt"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// plan is a file system with its size and time.
type plan struct {
	fs      *FileSystem
	params  params
	dir     string // for temporary files
	sb      superblock
	files   int64
	dropped []string
	size    int64
}

// Info implements [volume.Plan].
func (p *plan) Info() volume.Info {
	return volume.Info{
		Format:  "squashfs",
		Size:    p.size,
		Used:    int64(p.sb.BytesUsed),
		Files:   p.files,
		Dropped: p.dropped,
	}
}

// Write implements [volume.Plan].
func (p *plan) Write(ctx context.Context, w *volume.Writer) error {
	m, err := p.fs.use(ctx, p.params, p.dir)
	if err != nil {
		return err
	}
	defer p.fs.release(m)
	err = p.write(ctx, w, m)
	if cause := w.Err(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("squashfs: %w", err)
	}
	return nil
}

// write has the output take over the image, or copies it there.
func (p *plan) write(ctx context.Context, w *volume.Writer, m *image) error {
	sb := m.sb
	sb.MkfsTime = p.sb.MkfsTime
	if sb != p.sb { // one that was compressed anew
		return fmt.Errorf("%w: it takes %d bytes where it took %d before", filetree.ErrChanged, sb.BytesUsed, p.sb.BytesUsed)
	}
	head := appendStruct(nil, &sb)
	if taken, err := p.fs.give(w, p.params, m, head); taken || err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	return m.copy(ctx, w)
}

// copyLen is how much is copied between two looks at the context, in bytes.
const copyLen = 4 << 20

// copy writes all behind the superblock.
func (m *image) copy(ctx context.Context, w *volume.Writer) error {
	for at, end := int64(superblockLen), int64(m.sb.BytesUsed); at < end; {
		if err := w.Err(ctx); err != nil {
			return err
		}
		n := min(copyLen, end-at)
		if err := w.ReadN(m.spool.section(at, n), n); err != nil {
			return fmt.Errorf("temporary file: %w", err)
		}
		at += n
	}
	return nil
}

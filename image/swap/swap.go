package swap

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/volume"
)

// ErrOption reports a field of [Space] or of the geometry that is out of its
// range.
var ErrOption = errors.New("bad option")

// Limits of the format.
const (
	// minPages is what mkswap wants at least (disk-utils/mkswap.c,
	// MIN_GOODPAGES), and the kernel would take.
	minPages = 10
	// maxPages is how many pages the header can count: the number of the last
	// one has 32 bits.
	maxPages = math.MaxUint32 + 1
	maxLabel = 16
)

// Space is a swap space to be made. The zero value is one for pages of 4 KiB.
type Space struct {
	// Label is the volume's label, at most 16 bytes.
	Label string
	// UUID identifies the volume. Zero is one derived from the geometry's seed.
	UUID uuid.UUID
	// PageSize is that of the machine that is to use the space, in bytes: a
	// power of two from 4096 to 65536. Kernels refuse a space of another
	// page size than their own. Zero is 4096, and not the page size of the
	// machine that makes the image.
	PageSize int
}

// Plan lays the swap space out. It implements [volume.Content].
//
// A Size of 0 gives the smallest swap space there is, ten pages. One that is
// smaller is refused with a [*volume.SizeError]. What is left behind the last
// whole page is not used.
func (s *Space) Plan(ctx context.Context, g volume.Geometry) (volume.Plan, error) {
	p := &plan{label: s.Label, uuid: s.UUID, pageSize: int64(s.PageSize), size: g.Size}
	if p.pageSize == 0 {
		p.pageSize = 4096
	}
	switch {
	case p.pageSize < 4096 || p.pageSize > 65536 || p.pageSize&(p.pageSize-1) != 0:
		return nil, fmt.Errorf("swap: page size of %d bytes: %w: want a power of two from 4096 to 65536", s.PageSize, ErrOption)
	case len(s.Label) > maxLabel:
		return nil, fmt.Errorf("swap: label %q of %d bytes: %w: want at most %d", s.Label, len(s.Label), ErrOption, maxLabel)
	case strings.Contains(s.Label, "\x00"):
		return nil, fmt.Errorf("swap: label %q: %w: want no NUL", s.Label, ErrOption)
	case g.Size < 0:
		return nil, fmt.Errorf("swap: size of %d bytes: %w: want 0 or more", g.Size, ErrOption)
	case g.Size/p.pageSize > maxPages:
		return nil, fmt.Errorf("swap: size of %d bytes: %w: want at most %d with pages of %d", g.Size, ErrOption, maxPages*p.pageSize, p.pageSize)
	case g.Size == 0:
		p.size = minPages * p.pageSize
	case g.Size < minPages*p.pageSize:
		return nil, &volume.SizeError{Format: "swap", Size: g.Size, Need: minPages * p.pageSize, Resource: "bytes"}
	}
	if p.uuid == uuid.Nil {
		p.uuid = g.Derive("filesystem")
	}
	return p, nil
}

var _ volume.Content = (*Space)(nil)

// plan is a swap space as it is to be.
type plan struct {
	label    string
	uuid     uuid.UUID
	pageSize int64
	size     int64
}

// Info implements [volume.Plan].
func (p *plan) Info() volume.Info {
	return volume.Info{
		Format: "swap", Label: p.label, UUID: p.uuid.String(), Size: p.size, Used: p.pageSize,
		Free: []volume.Extent{{Offset: p.pageSize, Length: p.size - p.pageSize}},
	}
}

// Write implements [volume.Plan].
func (p *plan) Write(ctx context.Context, w *volume.Writer) error {
	if err := w.Err(ctx); err != nil {
		return err
	}
	page := make([]byte, p.pageSize)
	header{
		version:  1,
		lastPage: uint32(p.size/p.pageSize - 1),
		uuid:     p.uuid,
		label:    p.label,
	}.put(page)
	_, err := w.Write(page)
	return err
}

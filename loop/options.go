package loop

import (
	"fmt"
	"os"
	"strings"

	"github.com/drivebay/drivebay/loop/internal/sys"
)

const (
	minBlockSize = 512
	maxBlockSize = 64 << 10 // BLK_MAX_BLOCK_SIZE, include/linux/blkdev.h
)

// backing is what Attach knows of the file that it binds.
type backing struct {
	fd     int
	name   string
	stat   sys.Stat
	access sys.Access
	size   int64 // of the file, or of the block device
}

// inspect looks at the file behind fd.
func inspect(f *os.File, fd int) (backing, error) {
	b := backing{fd: fd, name: f.Name()}
	var err error
	if b.stat, err = sys.Fstat(fd); err != nil {
		return b, err
	}
	if b.access, err = sys.FileAccess(fd); err != nil {
		return b, err
	}
	b.size = b.stat.Size
	if b.stat.Type == sys.BlockDevice && b.access.Read {
		b.size, err = sys.SizeBytes(fd)
	}
	return b, err
}

// config checks o against the file and returns what to ask of the kernel,
// which refuses little of this itself: it rounds, drops and degrades instead.
func (o *Options) config(b *backing) (*sys.Config, error) {
	for _, check := range []func(*backing) error{o.checkFile, o.checkModes, o.checkRange} {
		if err := check(b); err != nil {
			return nil, err
		}
	}
	c := &sys.Config{
		BackingFD: b.fd,
		BlockSize: uint32(o.blockSize()),
		Offset:    uint64(o.Offset),
		SizeLimit: uint64(o.Size),
		// Also where the kernel has no partition parser: this flag is what
		// makes it drop the partitions that an earlier user of the device left
		// behind, and ours when the device is cleared (blktests loop/013).
		Flags: sys.FlagPartscan,
		Name:  o.Tag,
	}
	if c.Name == "" {
		c.Name = b.name[:min(len(b.name), sys.NameSize-1)]
	}
	if !o.Persist {
		c.Flags |= sys.FlagAutoclear
	}
	if o.ReadOnly {
		c.Flags |= sys.FlagReadOnly
	}
	if o.DirectIO != DirectIOOff {
		c.Flags |= sys.FlagDirectIO
	}
	return c, nil
}

// blockSize returns BlockSize or its default.
func (o *Options) blockSize() int64 {
	if o.BlockSize == 0 {
		return minBlockSize
	}
	return int64(o.BlockSize)
}

// checkFile refuses files that cannot back a device as asked.
func (o *Options) checkFile(b *backing) error {
	bad := func(value, want string) error { return &OptionError{"backing", value, want} }
	switch {
	case b.stat.Type != sys.RegularFile && b.stat.Type != sys.BlockDevice:
		return bad(b.stat.Type.String(), "a regular file or a block device")
	case !b.access.Read:
		return bad("not open for reading", "a file open for reading")
	case b.access.Append:
		// Kernels that hand the driver's writes to vfs_iter_write append them,
		// wherever on the device they were meant for.
		return bad("open with O_APPEND", "a file open without it")
	case !b.access.Write && !o.ReadOnly:
		return bad("open for reading only", "a file open for writing, or ReadOnly set")
	case b.access.Sealed && !o.ReadOnly:
		return bad("a memfd sealed against writing", "no such seal, or ReadOnly set")
	case b.size == 0:
		return bad("empty", "a file with at least one block")
	}
	return nil
}

// checkModes refuses values that mean nothing.
func (o *Options) checkModes(*backing) error {
	switch bs := o.blockSize(); {
	case bs < minBlockSize || bs > maxBlockSize || bs&(bs-1) != 0:
		return &OptionError{"BlockSize", o.BlockSize,
			fmt.Sprintf("a power of two from %d to %d, or 0 for %d", minBlockSize, maxBlockSize, minBlockSize)}
	case o.DirectIO < DirectIOOff || o.DirectIO > DirectIORequire:
		return &OptionError{"DirectIO", o.DirectIO, "DirectIOOff, DirectIOTry or DirectIORequire"}
	case len(o.Tag) >= sys.NameSize:
		return &OptionError{"Tag", fmt.Sprintf("%q (%d bytes)", o.Tag, len(o.Tag)),
			fmt.Sprintf("at most %d bytes", sys.NameSize-1)}
	case strings.IndexByte(o.Tag, 0) >= 0:
		return &OptionError{"Tag", fmt.Sprintf("%q", o.Tag), "no zero byte"}
	}
	return nil
}

// checkRange refuses what the kernel would round down or present as a device
// without a single block.
func (o *Options) checkRange(b *backing) error {
	bs := o.blockSize()
	multiple := func(n int64) string {
		return fmt.Sprintf("a multiple of the block size %d, such as %d", bs, n-n%bs)
	}
	rest := b.size - o.Offset
	switch {
	case o.Offset < 0:
		return &OptionError{"Offset", o.Offset, "no negative number"}
	case o.Size < 0:
		return &OptionError{"Size", o.Size, "no negative number"}
	case o.Offset%bs != 0:
		return &OptionError{"Offset", o.Offset, multiple(o.Offset)}
	case o.Offset >= b.size:
		return &OptionError{"Offset", o.Offset, fmt.Sprintf("less than the file's %d bytes", b.size)}
	case o.Size == 0 && rest < bs:
		return &OptionError{"backing", fmt.Sprintf("%d bytes long after Offset %d", rest, o.Offset),
			fmt.Sprintf("at least one block of %d bytes", bs)}
	case o.Size == 0 && rest%bs != 0:
		return &OptionError{"backing", fmt.Sprintf("%d bytes long after Offset %d", rest, o.Offset),
			multiple(rest) + ", or Size set to that"}
	case o.Size%bs != 0:
		return &OptionError{"Size", o.Size, multiple(max(o.Size, bs))}
	case o.Size > rest:
		return &OptionError{"Size", o.Size, fmt.Sprintf("at most the %d bytes after Offset %d", rest, o.Offset)}
	}
	return nil
}

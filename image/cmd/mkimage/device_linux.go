package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/image"
)

// zeroStep is how much of a device is zeroed between two looks at the context.
const zeroStep = 1 << 30

// wipeSize is how much at either end of a device is zeroed when a build fails,
// and at the end where the image is smaller: enough for any partition table.
const wipeSize = 1 << 20

// deviceOutput is a block device.
type deviceOutput struct {
	*os.File
	size   int64
	sector int
}

// openDevice opens a block device that nobody else uses: the kernel refuses
// O_EXCL for one that is mounted, or held by another open with O_EXCL, it or any
// of its partitions (block/bdev.c, bd_may_claim).
func openDevice(name string) (target, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Mode()&(os.ModeDevice|os.ModeCharDevice) != os.ModeDevice {
		return nil, usageError{err: fmt.Errorf("--device: %s is of type %s: want a block device", name, info.Mode().Type())}
	}
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_EXCL, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("%s is in use: it, or a partition of it, is mounted or held by another program", name)
	} else if err != nil {
		return nil, err
	}
	d := &deviceOutput{File: f}
	if d.size, d.sector, err = geometry(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return d, nil
}

// geometry returns the size and the logical sector size of a block device.
func geometry(f *os.File) (size int64, sector int, err error) {
	if size, err = f.Seek(0, io.SeekEnd); err != nil {
		return 0, 0, err
	}
	sector, err = unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET)
	return size, sector, os.NewSyscallError("ioctl BLKSSZGET", err)
}

func (d *deviceOutput) prepare(l *image.Layout) error {
	return fitDevice(l, d.Name(), d.size, d.sector)
}

func (d *deviceOutput) fit(p *image.Plan) (*image.Plan, error) { return fitPlan(p, d.size) }

func (d *deviceOutput) close() { _ = d.File.Close() }

func (d *deviceOutput) write(ctx context.Context, p *image.Plan, o image.Options, beside *companions) (int64, error) {
	s := &deviceSink{ctx: ctx, f: d.File}
	o.AnyOrder = true
	err := p.WriteAt(ctx, s, o)
	if err == nil {
		err = s.zeroTo(p.Size)
	}
	if err == nil {
		// What an older, larger image has left there is no part of this one.
		s.pos = max(p.Size, d.size-wipeSize)
		err = s.zeroTo(d.size)
	}
	if err == nil {
		err = d.Sync()
	}
	if err != nil {
		return s.written, errors.Join(fmt.Errorf("write to %s: %w", d.Name(), err), d.wipe())
	}
	// The kernel may have no parser, or not be told to use it: then there is
	// nothing to be read again.
	_ = unix.IoctlSetInt(int(d.Fd()), unix.BLKRRPART, 0)
	return s.written, beside.complete(ctx)
}

// wipe leaves no partition table on a device on which an image is not complete.
func (d *deviceOutput) wipe() error {
	s := &deviceSink{ctx: context.Background(), f: d.File}
	err := s.zeroTo(min(wipeSize, d.size))
	if err == nil {
		s.pos = max(0, d.size-wipeSize)
		err = s.zeroTo(d.size)
	}
	if err == nil {
		err = d.Sync()
	}
	if err != nil {
		return fmt.Errorf("what has been written to %s is not complete and could not be made unreadable: %w", d.Name(), err)
	}
	return nil
}

// deviceSink writes to a device, and zeros what is left out between.
type deviceSink struct {
	ctx     context.Context
	f       *os.File
	pos     int64
	written int64
}

// WriteAt writes behind what has been written, or into what has been zeroed.
func (s *deviceSink) WriteAt(p []byte, off int64) (int, error) {
	if err := s.zeroTo(off); err != nil {
		return 0, err
	}
	n, err := s.f.WriteAt(p, off)
	s.pos = max(s.pos, off+int64(n))
	s.written += int64(n)
	return n, err
}

// zeroTo zeros all up to an offset.
func (s *deviceSink) zeroTo(end int64) error {
	const page = 4096 // no sector is larger
	for s.pos < end {
		if s.ctx.Err() != nil {
			return context.Cause(s.ctx)
		}
		n := min(end-s.pos, zeroStep)
		if ragged := s.pos % page; ragged != 0 || n < page {
			n = min(n, page-ragged)
			if _, err := s.f.WriteAt(make([]byte, n), s.pos); err != nil {
				return err
			}
		} else {
			n -= n % page
			if err := s.zero(s.pos, n); err != nil {
				return err
			}
		}
		s.pos += n
	}
	return nil
}

// zero zeros whole pages: by discarding them, where the device reads zeros then,
// else by its own means or the kernel's (block/fops.c, blkdev_fallocate).
func (s *deviceSink) zero(off, n int64) error {
	for _, mode := range []uint32{unix.FALLOC_FL_PUNCH_HOLE, unix.FALLOC_FL_ZERO_RANGE} {
		if err := unix.Fallocate(int(s.f.Fd()), mode|unix.FALLOC_FL_KEEP_SIZE, off, n); err == nil {
			return nil
		}
	}
	zeros := make([]byte, min(n, 1<<20))
	for n > 0 {
		k, err := s.f.WriteAt(zeros[:min(n, int64(len(zeros)))], off)
		if err != nil {
			return err
		}
		off, n = off+int64(k), n-int64(k)
	}
	return nil
}

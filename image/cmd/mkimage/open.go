package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/output"
)

// imageFile is an image of some format, or a disk.
type imageFile struct {
	*os.File
	disk output.Reader
	// size is that of the file, or of the device.
	size int64
}

// openImage opens an image.
func openImage(name string) (*imageFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	size, err := f.Seek(0, io.SeekEnd) // of a device, Stat tells none
	if err == nil {
		var r output.Reader
		if r, err = output.NewReader(f, size); err == nil {
			return &imageFile{f, r, size}, nil
		}
	}
	_ = f.Close()
	switch {
	case errors.Is(err, output.ErrFormat):
		return nil, fmt.Errorf("%s is a dynamic VHD or a VHDX: convert it first, by qemu-img convert -O raw", name)
	case errors.Is(err, output.ErrNoSeekTable):
		return nil, fmt.Errorf("%s is compressed by zstd, without a seek table: unpack it first, by zstd -d --sparse", name)
	}
	return nil, fmt.Errorf("open %s: %w", name, err)
}

// Close closes the file.
func (i *imageFile) Close() error { return errors.Join(i.disk.Close(), i.File.Close()) }

// isVHD reports whether the file is a fixed VHD: a raw image with a footer.
func (i *imageFile) isVHD() bool { return !i.isPacked() && i.disk.Size() < i.size }

// isPacked reports whether the disk is to be had by unpacking only.
func (i *imageFile) isPacked() bool {
	switch i.disk.(type) {
	case *output.QCOW2Reader, *output.ZstdReader:
		return true
	}
	return false
}

// plan plans a layout for the image, as a build for it does.
func (i *imageFile) plan(ctx context.Context, l *description) (*image.Plan, error) {
	info, err := i.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode()&(os.ModeDevice|os.ModeCharDevice) == os.ModeDevice {
		return i.planDevice(ctx, l)
	}
	p, err := l.Plan(ctx)
	if err == nil && i.isVHD() {
		p, err = vhd.fit(p)
	}
	return p, err
}

func (i *imageFile) planDevice(ctx context.Context, l *description) (*image.Plan, error) {
	size, sector, err := geometry(i.File)
	if err != nil {
		return nil, err
	}
	if err := fitDevice(l.Layout, i.Name(), size, sector); err != nil {
		return nil, err
	}
	p, err := l.Plan(ctx)
	if err != nil {
		return nil, err
	}
	return fitPlan(p, size)
}

// verify compares the image with a plan.
func (i *imageFile) verify(ctx context.Context, p *image.Plan) error {
	if i.isPacked() || i.isVHD() {
		return p.VerifyReaderAt(ctx, i.Name(), i.disk, i.disk.Size(), image.Options{})
	}
	return p.Verify(ctx, i.Name(), image.Options{})
}

// open reads the partition table.
func (i *imageFile) open() (*image.Disk, error) {
	d, err := image.OpenReaderAt(i.disk, i.disk.Size())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", i.Name(), err)
	}
	return d, nil
}

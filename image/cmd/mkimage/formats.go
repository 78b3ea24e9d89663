package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/output"
	"github.com/drivebay/drivebay/image/volume"
)

// format is a format of image files.
type format struct {
	name   string // as --format has it
	suffix string // of the names of such files, "" for none
	open   func(f file, p *image.Plan, o *formatOptions) (output.Writer, error)
	// stream tells that it is written front to back: standard output will do.
	stream bool
	// anyOrder tells that bytes of the disk may come in any order.
	anyOrder bool
	// bmap tells that bmaptool copies from it.
	bmap bool
	// grain is what the sizes of disks are multiples of, in bytes.
	grain int64
	// sectors are the sizes of sectors that it can have: all where there are none.
	sectors []int
}

// formats are all formats. The first is that of files with any other name.
var formats = []*format{
	{name: "raw", open: openRaw, stream: true, anyOrder: true, bmap: true},
	{name: "zst", suffix: ".zst", open: openZstd, stream: true, bmap: true},
	{name: "qcow2", suffix: ".qcow2", open: openQCOW2},
	vhd,
	{name: "vhd-dynamic", open: openDynamicVHD, anyOrder: true, grain: output.VHDGrain, sectors: []int{512}},
	{name: "vhdx", suffix: ".vhdx", open: openVHDX, anyOrder: true},
}

// vhd is the fixed VHD.
var vhd = &format{name: "vhd", suffix: ".vhd", open: openVHD, anyOrder: true, grain: output.VHDGrain, sectors: []int{512}}

// file is what an image is written to.
type file interface {
	output.File
	io.Writer
}

// formatOptions are the flags that say more of a format.
type formatOptions struct {
	compression output.Compression
	clusterSize int64
}

func openRaw(f file, p *image.Plan, _ *formatOptions) (output.Writer, error) {
	return output.NewRaw(f, p.Size)
}

func openZstd(f file, p *image.Plan, _ *formatOptions) (output.Writer, error) {
	return output.NewZstd(f, p.Size, output.ZstdOptions{})
}

func openQCOW2(f file, p *image.Plan, o *formatOptions) (output.Writer, error) {
	return output.NewQCOW2(f, p.Size, output.QCOW2Options{Compression: o.compression, ClusterSize: o.clusterSize})
}

func openVHD(f file, p *image.Plan, _ *formatOptions) (output.Writer, error) {
	return output.NewVHD(f, p.Size, output.VHDOptions{ID: volume.Derive(p.ID, "vhd")})
}

func openDynamicVHD(f file, p *image.Plan, _ *formatOptions) (output.Writer, error) {
	return output.NewVHD(f, p.Size, output.VHDOptions{ID: volume.Derive(p.ID, "vhd"), Dynamic: true})
}

func openVHDX(f file, p *image.Plan, _ *formatOptions) (output.Writer, error) {
	return output.NewVHDX(f, p.Size, output.VHDXOptions{SectorSize: p.SectorSize, ID: volume.Derive(p.ID, "vhdx")})
}

// formatNames returns what --format may be.
func formatNames() string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// parseFormat finds a format by its name.
func parseFormat(name string) (*format, error) {
	for _, f := range formats {
		if f.name == name {
			return f, nil
		}
	}
	return nil, errors.New("want " + formatNames())
}

// formatOf finds a format by the name of a file.
func formatOf(name string) *format {
	for _, f := range formats {
		if f.suffix != "" && strings.EqualFold(filepath.Ext(name), f.suffix) {
			return f
		}
	}
	return formats[0]
}

// parseCompression finds a way to compress by its name.
func parseCompression(name string) (output.Compression, error) {
	for _, c := range []output.Compression{output.CompressNone, output.CompressZlib, output.CompressZstd} {
		if c.String() == name {
			return c, nil
		}
	}
	return 0, errors.New("want none, zlib or zstd")
}

// base returns the name of a file without what is the format's own of it:
// disk.img of disk.img.zst, disk of disk.qcow2.
func (f *format) base(name string) string {
	if n := len(name) - len(f.suffix); f.suffix != "" && n > 0 && strings.EqualFold(name[n:], f.suffix) {
		return name[:n]
	}
	return name
}

// prepare refuses a layout that the format cannot hold.
func (f *format) prepare(l *image.Layout) error {
	sector := max(l.SectorSize, 512) // of 0 as well
	if len(f.sectors) > 0 && !slices.Contains(f.sectors, sector) {
		return fmt.Errorf("format %s with sectors of %d bytes: want %d", f.name, sector, f.sectors[0])
	}
	return nil
}

// fit returns the plan for a disk of a size that the format can have.
func (f *format) fit(p *image.Plan) (*image.Plan, error) {
	if f.grain == 0 || p.Size%f.grain == 0 {
		return p, nil
	}
	return p.Extend((p.Size/f.grain + 1) * f.grain)
}

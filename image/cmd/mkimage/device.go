package main

import (
	"fmt"

	"github.com/drivebay/drivebay/image"
)

// fitPlan makes a plan one for a device of size bytes, which may be larger: the
// backup of a GPT belongs at the end of the device.
func fitPlan(p *image.Plan, size int64) (*image.Plan, error) {
	if p.Table != image.GPT {
		return p, nil
	}
	return p.Extend(size - size%int64(p.SectorSize))
}

// fitDevice makes a layout one for a device of size bytes with sectors of sector
// bytes: what the layout leaves open is the device's.
func fitDevice(l *image.Layout, name string, size int64, sector int) error {
	if l.SectorSize == 0 {
		l.SectorSize = sector
	}
	if l.Size == 0 {
		l.Size = size - size%int64(l.SectorSize)
	}
	switch {
	case l.SectorSize != sector:
		return fmt.Errorf("%s has sectors of %d bytes, the image has sectors of %d: a partition table for one means nothing on the other: want sector-size: %d",
			name, sector, l.SectorSize, sector)
	case l.Size > size:
		return fmt.Errorf("%s has %d bytes, the image has %d: %d too few", name, size, l.Size, l.Size-size)
	}
	return nil
}

package output

import (
	"fmt"

	"github.com/google/uuid"
)

// VHDOptions are the options of [NewVHD].
type VHDOptions struct {
	// Dynamic leaves out blocks of 2 MiB that nothing is written to. A fixed VHD,
	// which is what Azure takes, is the raw disk with a footer.
	Dynamic bool
	// ID is the disk's identifier.
	ID uuid.UUID
}

// The layout of a VHD (Virtual Hard Disk Image Format Specification 1.0).
const (
	vhdFooterSize  = 512
	vhdHeaderSize  = 1024
	vhdBlockSize   = 2 << 20
	vhdBitmapSize  = 512                    // a bit for each sector of a block
	vhdPage        = 4096                   // on which blocks' data begins
	vhdStride      = vhdPage + vhdBlockSize // from one block to the next
	vhdTypeFixed   = 2
	vhdTypeDynamic = 3
	vhdNoOffset    = 1<<64 - 1
	vhdUnallocated = 1<<32 - 1

	// VHDGrain is the unit in bytes of which a VHD has to be whole: Azure takes no
	// others.
	VHDGrain = 1 << 20
	// vhdMaxSize is the largest disk, 2040 GiB.
	vhdMaxSize = 2040 << 30
)

// VHD writes a disk as a VHD file. One of the same bytes and with the same ID is
// the same file: the time of its creation is left at zero, which is 2000-01-01.
type VHD struct {
	f       File
	size    int64
	options VHDOptions
	table   []uint32 // the sectors where the blocks of a dynamic disk begin
	end     int64    // where the next block goes
}

// NewVHD returns a writer of a disk of size bytes to f, a multiple of [VHDGrain].
func NewVHD(f File, size int64, o VHDOptions) (*VHD, error) {
	if size <= 0 || size%VHDGrain != 0 || size > vhdMaxSize {
		return nil, &OptionError{"vhd", "size", size, fmt.Sprintf("a multiple of %d, at most %d", VHDGrain, int64(vhdMaxSize))}
	}
	v := &VHD{f: f, size: size, options: o}
	if o.Dynamic {
		v.table = make([]uint32, ceilDiv(size, vhdBlockSize))
		for i := range v.table {
			v.table[i] = vhdUnallocated
		}
		v.end = ceilDiv(vhdFooterSize+vhdHeaderSize+4*int64(len(v.table)), vhdPage) * vhdPage
	}
	return v, nil
}

// WriteAt takes bytes of the disk, in any order.
func (v *VHD) WriteAt(p []byte, off int64) (int, error) {
	if err := checkRange("vhd", len(p), off, v.size); err != nil {
		return 0, err
	}
	if !v.options.Dynamic {
		return v.f.WriteAt(p, off)
	}
	n := 0
	for n < len(p) {
		k, err := v.writeBlock(p[n:], off+int64(n))
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// writeBlock writes what of p is in one block. A block is a bitmap of the sectors
// that hold something, here all of them, and its data, which begins on a page: its
// zeros stay holes.
func (v *VHD) writeBlock(p []byte, off int64) (int, error) {
	index, in := off/vhdBlockSize, off%vhdBlockSize
	if v.table[index] == vhdUnallocated {
		at := v.end + vhdPage - vhdBitmapSize
		bitmap := make([]byte, vhdBitmapSize)
		for i := range bitmap {
			bitmap[i] = 0xff
		}
		if _, err := v.f.WriteAt(bitmap, at); err != nil {
			return 0, err
		}
		v.table[index] = uint32(at / sectorSize)
		v.end += vhdStride
	}
	at := int64(v.table[index])*sectorSize + vhdBitmapSize + in
	return v.f.WriteAt(p[:min(int64(len(p)), vhdBlockSize-in)], at)
}

// Finish writes the footer, and what is before the blocks of a dynamic disk.
func (v *VHD) Finish() error {
	footer := v.footer()
	if !v.options.Dynamic {
		_, err := v.f.WriteAt(footer, v.size)
		return err
	}
	if _, err := v.f.WriteAt(footer, v.end); err != nil {
		return err
	}
	b := append(footer, v.header()...)
	for _, at := range v.table {
		b = be.AppendUint32(b, at)
	}
	for len(b)%sectorSize != 0 {
		b = append(b, 0xff)
	}
	_, err := v.f.WriteAt(b, 0)
	return err
}

// Close does nothing.
func (v *VHD) Close() error { return nil }

// footer returns the hard disk footer.
func (v *VHD) footer() []byte {
	kind, header := uint32(vhdTypeFixed), uint64(vhdNoOffset)
	if v.options.Dynamic {
		kind, header = vhdTypeDynamic, vhdFooterSize
	}
	cylinders, heads, sectors := vhdGeometry(v.size / sectorSize)
	b := []byte("conectix")
	b = be.AppendUint32(b, 2)       // features: the bit that is always set
	b = be.AppendUint32(b, 0x10000) // version 1.0
	b = be.AppendUint64(b, header)
	b = be.AppendUint32(b, 0) // the time
	// Those who go by the geometry below in place of the size tell by the creator:
	// by Hyper-V's they go by the size (QEMU, block/vpc.c).
	b = append(b, "win "...)
	b = be.AppendUint32(b, 0xa0000) // its version
	b = append(b, "Wi2k"...)
	b = be.AppendUint64(b, uint64(v.size)) // as created
	b = be.AppendUint64(b, uint64(v.size))
	b = be.AppendUint16(b, cylinders)
	b = append(b, heads, sectors)
	b = be.AppendUint32(b, kind)
	b = be.AppendUint32(b, 0) // the checksum
	b = append(b, v.options.ID[:]...)
	b = append(b, make([]byte, vhdFooterSize-len(b))...)
	be.PutUint32(b[64:], vhdChecksum(b))
	return b
}

// header returns the dynamic disk header.
func (v *VHD) header() []byte {
	b := []byte("cxsparse")
	b = be.AppendUint64(b, vhdNoOffset)
	b = be.AppendUint64(b, vhdFooterSize+vhdHeaderSize) // where the table is
	b = be.AppendUint32(b, 0x10000)                     // version 1.0
	b = be.AppendUint32(b, uint32(len(v.table)))
	b = be.AppendUint32(b, vhdBlockSize)
	b = append(b, make([]byte, vhdHeaderSize-len(b))...)
	be.PutUint32(b[36:], vhdChecksum(b))
	return b
}

// vhdChecksum returns the checksum of a header in which its own place is zero.
func vhdChecksum(b []byte) uint32 {
	sum := uint32(0)
	for _, c := range b {
		sum += uint32(c)
	}
	return ^sum
}

// vhdGeometry returns the geometry of a disk of so many sectors (appendix, CHS
// calculation). It covers the disk only as far as a geometry of ATA can.
func vhdGeometry(total int64) (cylinders uint16, heads, sectors byte) {
	total = min(total, 65535*16*255)
	s, h := int64(255), int64(16)
	if total < 65535*16*63 {
		s = 17
		h = max((total/s+1023)/1024, 4)
		if total/s >= h*1024 || h > 16 {
			s, h = 31, 16
		}
		if total/s >= h*1024 {
			s, h = 63, 16
		}
	}
	return uint16(total / s / h), byte(h), byte(s)
}

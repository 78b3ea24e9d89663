package output

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"unicode/utf16"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/volume"
)

// VHDXOptions are the options of [NewVHDX].
type VHDXOptions struct {
	// BlockSize is the unit of allocation in bytes, a power of two from 1 MiB to
	// 256 MiB. Zero is 1 MiB, what Microsoft advises for Linux.
	BlockSize int64
	// SectorSize is that of the disk in bytes, 512 or 4096. Zero is 512. QEMU reads
	// no disks of 4096.
	SectorSize int
	// ID is the disk's identifier, of which all others in the file are derived.
	ID uuid.UUID
}

// The places of things in a VHDX ([MS-VHDX] 2.2 and 2.4). All but the headers are on
// multiples of 1 MiB, as the format wants it.
const (
	vhdxUnit          = 1 << 20
	vhdxHeader        = 64 << 10 // the first of two
	vhdxRegions       = 192 << 10
	vhdxStep          = 64 << 10 // from the first header and region table to the second
	vhdxLog           = 1 * vhdxUnit
	vhdxMetadata      = 2 * vhdxUnit
	vhdxMetadataItems = 64 << 10 // in there
	vhdxTable         = 3 * vhdxUnit
	vhdxHeaderSize    = 4 << 10
	vhdxRegionsSize   = 64 << 10
	vhdxMaxSize       = 64 << 40
	vhdxChunk         = 1 << 23 // sectors that a block of the sectors' bitmap tells of

	vhdxBlockZero    = 2 // states of blocks
	vhdxBlockPresent = 6
)

// VHDX writes a disk as a dynamic VHDX file. Blocks that nothing is written to take
// no room. The log is empty: there is nothing to be replayed.
type VHDX struct {
	f       File
	size    int64
	options VHDXOptions
	blocks  []uint64 // entries of the block allocation table, but for bitmaps
	end     int64    // where the next block goes
}

// NewVHDX returns a writer of a disk of size bytes to f, whole sectors.
func NewVHDX(f File, size int64, o VHDXOptions) (*VHDX, error) {
	o.BlockSize = cmp.Or(o.BlockSize, vhdxUnit)
	o.SectorSize = cmp.Or(o.SectorSize, sectorSize)
	switch {
	case o.SectorSize != 512 && o.SectorSize != 4096:
		return nil, &OptionError{"vhdx", "sector size", o.SectorSize, "512 or 4096"}
	case o.BlockSize < vhdxUnit || o.BlockSize > 256<<20 || o.BlockSize&(o.BlockSize-1) != 0:
		return nil, &OptionError{"vhdx", "block size", o.BlockSize, "a power of two from 1048576 to 268435456"}
	case size <= 0 || size%int64(o.SectorSize) != 0 || size > vhdxMaxSize:
		return nil, &OptionError{"vhdx", "size", size, fmt.Sprintf("a multiple of %d, at most %d", o.SectorSize, int64(vhdxMaxSize))}
	}
	v := &VHDX{f: f, size: size, options: o, blocks: make([]uint64, ceilDiv(size, o.BlockSize))}
	for i := range v.blocks {
		v.blocks[i] = vhdxBlockZero
	}
	v.end = vhdxTable + v.tableSize()
	return v, nil
}

// perChunk returns how many blocks are followed by an entry for a bitmap, which is
// for disks that are based on others.
func (v *VHDX) perChunk() int64 {
	return vhdxChunk * int64(v.options.SectorSize) / v.options.BlockSize
}

// tableSize returns the size of the region of the block allocation table.
func (v *VHDX) tableSize() int64 {
	blocks := int64(len(v.blocks))
	return ceilDiv((blocks+(blocks-1)/v.perChunk())*8, vhdxUnit) * vhdxUnit
}

// WriteAt takes bytes of the disk, in any order.
func (v *VHDX) WriteAt(p []byte, off int64) (int, error) {
	if err := checkRange("vhdx", len(p), off, v.size); err != nil {
		return 0, err
	}
	n := 0
	for n < len(p) {
		index, in := (off+int64(n))/v.options.BlockSize, (off+int64(n))%v.options.BlockSize
		if v.blocks[index] == vhdxBlockZero {
			v.blocks[index] = uint64(v.end) | vhdxBlockPresent // the offset is in bits 20 to 63
			v.end += v.options.BlockSize
		}
		at := int64(v.blocks[index]&^(vhdxUnit-1)) + in
		k, err := v.f.WriteAt(p[n:n+int(min(int64(len(p)-n), v.options.BlockSize-in))], at)
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Finish writes all that tells where the blocks are, and last of all what tells
// that the file is a VHDX.
func (v *VHDX) Finish() error {
	if err := v.f.Truncate(v.end); err != nil {
		return err
	}
	for _, part := range []struct {
		b  []byte
		at int64
	}{
		{v.table(), vhdxTable},
		{v.metadata(), vhdxMetadata},
		{v.regions(), vhdxRegions}, {v.regions(), vhdxRegions + vhdxStep},
		{v.header(0), vhdxHeader}, {v.header(1), vhdxHeader + vhdxStep},
		{vhdxIdentifier(), 0},
	} {
		if _, err := v.f.WriteAt(part.b, part.at); err != nil {
			return err
		}
	}
	return nil
}

// Close does nothing.
func (v *VHDX) Close() error { return nil }

// vhdxIdentifier returns the file type identifier (2.2.1).
func vhdxIdentifier() []byte {
	b := []byte("vhdxfile")
	for _, c := range utf16.Encode([]rune("drivebay")) {
		b = le.AppendUint16(b, c)
	}
	return b
}

// header returns a header (2.2.2). Of two, the one with the higher sequence number
// counts.
func (v *VHDX) header(sequence uint64) []byte {
	b := []byte("head\x00\x00\x00\x00")
	b = le.AppendUint64(b, sequence)
	b = append(b, v.guid("file write")...)
	b = append(b, v.guid("data write")...)
	b = append(b, make([]byte, 16)...) // no log to be replayed
	b = le.AppendUint16(b, 0)          // the log's version
	b = le.AppendUint16(b, 1)          // the format's
	b = le.AppendUint32(b, vhdxUnit)   // the log's size
	b = le.AppendUint64(b, vhdxLog)
	return vhdxSum(b, vhdxHeaderSize)
}

// regions returns a region table (2.2.3).
func (v *VHDX) regions() []byte {
	b := []byte("regi\x00\x00\x00\x00")
	b = le.AppendUint32(b, 2)
	b = le.AppendUint32(b, 0)
	for _, r := range []struct {
		id       string
		at, size int64
	}{
		{"2dc27766-f623-4200-9d64-115e9bfd4a08", vhdxTable, v.tableSize()},
		{"8b7ca206-4790-4b9a-b8fe-575f050f886e", vhdxMetadata, vhdxUnit},
	} {
		b = append(b, vhdxGUID(uuid.MustParse(r.id))...)
		b = le.AppendUint64(b, uint64(r.at))
		b = le.AppendUint32(b, uint32(r.size))
		b = le.AppendUint32(b, 1) // required
	}
	return vhdxSum(b, vhdxRegionsSize)
}

// metadata returns the metadata region: a table (2.6.1) and its items (2.6.2).
func (v *VHDX) metadata() []byte {
	const required, ofDisk = 1 << 2, 1 << 1
	table := le.AppendUint16([]byte("metadata\x00\x00"), 5)
	table = append(table, make([]byte, 20)...)
	var items []byte
	for _, item := range []struct {
		id    string
		flags uint32
		data  []byte
	}{
		{"caa16737-fa36-4d43-b3b6-33f0aa44e76b", required, le.AppendUint64(nil, uint64(v.options.BlockSize))}, // with flags: none
		{"2fa54224-cd1b-4876-b211-5dbed83bf4b8", required | ofDisk, le.AppendUint64(nil, uint64(v.size))},
		{"beca12ab-b2e6-4523-93ef-c309e000c746", required | ofDisk, vhdxGUID(v.options.ID)},
		{"8141bf1d-a96f-4709-ba47-f233a8faab5f", required | ofDisk, le.AppendUint32(nil, uint32(v.options.SectorSize))},
		{"cda348c7-445d-4471-9cc9-e9885251c556", required | ofDisk, le.AppendUint32(nil, 4096)}, // physical
	} {
		table = append(table, vhdxGUID(uuid.MustParse(item.id))...)
		table = le.AppendUint32(table, uint32(vhdxMetadataItems+len(items)))
		table = le.AppendUint32(table, uint32(len(item.data)))
		table = le.AppendUint32(table, item.flags)
		table = le.AppendUint32(table, 0)
		items = append(items, item.data...)
	}
	return append(table, append(make([]byte, vhdxMetadataItems-len(table)), items...)...)
}

// table returns the block allocation table (2.5): behind each chunk of blocks is an
// entry for a bitmap, of which there are none.
func (v *VHDX) table() []byte {
	var b []byte
	for i, entry := range v.blocks {
		if i > 0 && int64(i)%v.perChunk() == 0 {
			b = le.AppendUint64(b, 0)
		}
		b = le.AppendUint64(b, entry)
	}
	return b
}

// guid returns an identifier of the file.
func (v *VHDX) guid(purpose string) []byte {
	return vhdxGUID(volume.Derive(v.options.ID, "vhdx "+purpose))
}

// vhdxGUID returns a GUID as Microsoft stores it: the first three fields are
// little-endian.
func vhdxGUID(id uuid.UUID) []byte {
	b := le.AppendUint32(nil, be.Uint32(id[0:]))
	b = le.AppendUint16(b, be.Uint16(id[4:]))
	b = le.AppendUint16(b, be.Uint16(id[6:]))
	return append(b, id[8:]...)
}

// vhdxSum fills a structure up to a size and enters its CRC-32C behind the
// signature.
func vhdxSum(b []byte, size int) []byte {
	b = append(b, make([]byte, size-len(b))...)
	le.PutUint32(b[4:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

var le = binary.LittleEndian

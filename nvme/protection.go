package nvme

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"hash/crc64"
)

// Guard is the format of protection information (PIF): NVM Command Set 1.0, 5.2.1.
type Guard uint8

// Formats of protection information, by the size of their guard.
const (
	Guard16 Guard = 0 // CRC-16 of T10 DIF, tags of 32 bits: 8 bytes
	Guard32 Guard = 1 // CRC-32C, tags of 80 bits: 16 bytes
	Guard64 Guard = 2 // CRC-64 of NVM Express, tags of 48 bits: 16 bytes
)

// String names the guard.
func (g Guard) String() string {
	switch g {
	case Guard16:
		return "16b guard"
	case Guard32:
		return "32b guard"
	case Guard64:
		return "64b guard"
	}
	return fmt.Sprintf("reserved guard %d", uint8(g))
}

// protection is how a namespace protects its blocks end to end.
type protection struct {
	kind       int // 1 to 3; 0 is not at all
	first      bool
	guard      Guard
	storageTag int // STS: how many of the tags' bits are the storage tag's
}

// protectionOf tells how a namespace is protected. The NVM command set's own
// structure is only asked for where the namespace has it.
func (c *Controller) protectionOf(ctx context.Context, id *IdentifyNamespace, nsid uint32, extendedFormats bool) (protection, error) {
	p := protection{kind: id.ProtectionType(), first: id.Protection&(1<<3) != 0}
	if p.kind == 0 || !extendedFormats {
		return p, nil
	}
	nvm, err := c.NVMNamespace(ctx, nsid)
	if err != nil {
		return p, err
	}
	format := nvm.Formats[id.FormatIndex()]
	p.guard, p.storageTag = format.Guard(), format.StorageTagSize()
	if p.guard > Guard64 || p.storageTag > p.tagBits() {
		return p, &DecodeError{"NVMNamespace", fmt.Sprintf("%v with a storage tag of %d bits", p.guard, p.storageTag)}
	}
	return p, nil
}

// size returns the bytes of metadata that protection information takes.
func (p protection) size() int {
	if p.guard == Guard16 {
		return 8
	}
	return 16
}

// tagBits returns how many bits the storage tag and the reference tag have together.
func (p protection) tagBits() int { return [...]int{Guard16: 32, Guard32: 80, Guard64: 48}[p.guard] }

// checkTags refuses tags that have too many bits.
func (p protection) checkTags(op string, storage, reference uint64) error {
	if bits := p.storageTag; bits < 64 && storage>>bits != 0 {
		return &ArgumentError{op, "StorageTag", storage, fmt.Sprintf("at most %d bits (STS)", bits)}
	}
	if bits := p.tagBits() - p.storageTag; bits < 64 && reference>>bits != 0 {
		return &ArgumentError{op, "ReferenceTag", reference, fmt.Sprintf("at most %d bits with a %v and %d bits of storage tag", bits, p.guard, p.storageTag)}
	}
	return nil
}

// tags are the storage tag and below it the reference tag, as one number.
func (p protection) tags(storage, reference uint64) Uint128 {
	shift := p.tagBits() - p.storageTag
	if shift >= 64 {
		return Uint128{Lo: reference, Hi: storage << (shift - 64)}
	}
	return Uint128{Lo: storage<<shift | reference, Hi: storage >> (64 - shift)}
}

// putTags puts the tags into a command that has LBTU, in CDW2 and CDW3, and LBTL,
// in CDW14: NVM Command Set 1.0, 5.2.1.4.
func (c *Command) putTags(tags Uint128) {
	c.CDW2, c.CDW3, c.CDW14 = uint32(tags.Hi), hi(tags.Lo), lo(tags.Lo)
}

// Protection is the protection information of the blocks of one command, as a host
// makes it that leaves ProtectionAction out.
type Protection struct {
	ApplicationTag uint16
	StorageTag     uint64 // as many bits as the format has (STS)
	ReferenceTag   uint64 // of the first block. It counts up with the blocks, but for type 3
}

// Protect writes the protection information of whole blocks into their metadata:
// guards over what they hold, and tags. Where metadata is a part of the blocks it
// goes into data, and metadata is empty. What metadata holds beside the protection
// information counts as data if it comes before it.
func (n *Namespace) Protect(data, metadata []byte, p Protection) error {
	const op = "protect"
	if n.protection.kind == 0 {
		return &ArgumentError{op, "protection of the namespace", 0, "a type from 1 to 3: see FormatOptions"}
	}
	block, each := n.BlockBytes(), int(n.format.MetadataSize)
	blocks := len(data) / block
	if len(data) == 0 || len(data)%block != 0 {
		return &ArgumentError{op, "length of data", len(data), fmt.Sprintf("whole blocks: a multiple of %d", block)}
	}
	if err := n.checkMetadata(op, blocks, &IOOptions{Metadata: metadata}); err != nil {
		return err
	}
	if err := n.protection.checkTags(op, p.StorageTag, p.ReferenceTag); err != nil {
		return err
	}
	for i := range blocks {
		data := data[i*block:][:block]
		var meta []byte
		if n.extended {
			data, meta = data[:n.format.BlockSize()], data[n.format.BlockSize():]
		} else {
			meta = metadata[i*each:][:each]
		}
		n.protection.fill(data, meta, p)
		if n.protection.kind != 3 {
			p.ReferenceTag = n.protection.next(p.ReferenceTag)
		}
	}
	return nil
}

// next returns the reference tag of the next block; it wraps around.
func (p protection) next(reference uint64) uint64 {
	if bits := p.tagBits() - p.storageTag; bits < 64 {
		return (reference + 1) & (1<<bits - 1)
	}
	return reference + 1
}

// fill writes the protection information of one block: NVM Command Set 1.0, 5.2.1.1
// to 5.2.1.3. Unlike all else in NVMe it is big-endian.
func (p protection) fill(data, meta []byte, values Protection) {
	at := len(meta) - p.size()
	if p.first {
		at = 0
	}
	before, out := meta[:at], meta[at:][:p.size()]
	tags := p.tags(values.StorageTag, values.ReferenceTag)
	be := binary.BigEndian
	switch p.guard {
	case Guard16:
		be.PutUint16(out, crc16(crc16(0, data), before))
		be.PutUint16(out[2:], values.ApplicationTag)
		be.PutUint32(out[4:], lo(tags.Lo))
	case Guard32:
		be.PutUint32(out, crc32.Update(crc32.Update(0, castagnoli, data), castagnoli, before))
		be.PutUint16(out[4:], values.ApplicationTag)
		be.PutUint16(out[6:], uint16(tags.Hi))
		be.PutUint64(out[8:], tags.Lo)
	case Guard64:
		be.PutUint64(out, crc64.Update(crc64.Update(0, crc64NVMe, data), crc64NVMe, before))
		be.PutUint16(out[8:], values.ApplicationTag)
		be.PutUint16(out[10:], uint16(tags.Lo>>32))
		be.PutUint32(out[12:], lo(tags.Lo))
	}
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	// NVM Command Set 1.0, 5.2.1.3.4: the polynomial AD93D23594C93659h, reflected.
	crc64NVMe = crc64.MakeTable(0x9a6c9329ac4bc9b5)
)

// crc16 continues the CRC of T10 DIF: polynomial 8BB7h, neither reflected nor
// inverted, starting at 0.
func crc16(crc uint16, data []byte) uint16 {
	for _, b := range data {
		crc ^= uint16(b) << 8
		for range 8 {
			carry := crc >> 15
			crc = crc<<1 ^ carry*0x8bb7
		}
	}
	return crc
}

package nvmetest

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/drivebay/drivebay/nvme"
)

// Namespace is a namespace of a [Drive]. Its methods see the media directly, as
// no host does.
type Namespace struct {
	drive    *Drive
	id       uint32
	blocks   uint64 // NSZE
	capacity uint64 // NCAP
	format   int
	extended bool
	pi       uint8 // DPS
	private  bool
	group    uint32 // ANA

	media  Media
	memory *memory     // media, if it is ours
	cache  *writeCache // media, if it has a cache before it
	meta   *memory

	written blockSet // blocks that are allocated
	bad     blockSet // blocks that cannot be read

	attached   map[uint16]bool // by controller identifier
	formatting *formatting
	protection uint32 // the state of Namespace Write Protection Config
	recovery   uint32 // Error Recovery
	reserved   reservations
	users      []string // who a kernel would say uses it
	nguid      nvme.NGUID
	eui64      nvme.EUI64
	uuid       nvme.UUID
}

// Namespace returns the namespace with an NSID, attached or not; nil if there is
// none.
func (d *Drive) Namespace(nsid uint32) *Namespace {
	d.mu.Lock()
	defer d.mu.Unlock()
	if nsid == 0 || uint64(nsid) > uint64(len(d.namespaces)) {
		return nil
	}
	return d.namespaces[nsid-1]
}

// NSID returns the namespace's identifier.
func (n *Namespace) NSID() uint32 { return n.id }

// Size returns the bytes of data in the namespace.
func (n *Namespace) Size() int64 {
	n.drive.mu.Lock()
	defer n.drive.mu.Unlock()
	return int64(n.blocks) * int64(n.blockSize())
}

// ReadAt reads the media, unless it is past the end. It sees data that a host
// cannot: of bad blocks, and of a namespace that is not attached.
func (n *Namespace) ReadAt(p []byte, off int64) (int, error) {
	size := n.Size()
	n.drive.mu.Lock()
	defer n.drive.mu.Unlock()
	if off < 0 || off >= size {
		return 0, io.EOF
	}
	part := p[:min(int64(len(p)), size-off)]
	count, err := n.media.ReadAt(part, off)
	if err == nil && len(part) < len(p) {
		err = io.EOF
	}
	return count, err
}

// Use says who uses the namespace, as a kernel would know that it is mounted or
// held. The procedures of package nvme refuse to destroy it then. Nobody is none.
func (n *Namespace) Use(by ...string) {
	n.drive.mu.Lock()
	defer n.drive.mu.Unlock()
	n.users = slices.Clone(by)
}

// Corrupt lets reads of logical blocks fail with an unrecovered read error,
// until they are written.
func (n *Namespace) Corrupt(lba, count uint64) {
	n.drive.mu.Lock()
	defer n.drive.mu.Unlock()
	if lba < n.blocks {
		n.bad.add(lba, min(count, n.blocks-lba))
	}
}

// addNamespace makes a namespace that the drive comes with.
func (d *Drive) addNamespace(cfg NamespaceConfig) error {
	switch {
	case cfg.Format < 0 || cfg.Format >= len(d.formats) || !d.formats[cfg.Format].Offered():
		return fmt.Errorf("LBA format %d is not offered", cfg.Format)
	case cfg.Blocks == 0:
		return fmt.Errorf("no blocks")
	case cfg.ANAGroup > d.profile.Controller.ANAGroupMax:
		return fmt.Errorf("ANA group %d, want at most ANAGRPMAX, %d", cfg.ANAGroup, d.profile.Controller.ANAGroupMax)
	}
	size := cfg.Blocks * uint64(d.formats[cfg.Format].BlockSize())
	if total, ok := d.profile.Controller.TotalCapacity.Uint64(); ok && total != 0 && size > total-d.allocated() {
		return fmt.Errorf("%d bytes, but TNVMCAP leaves %d", size, total-d.allocated())
	}
	n := d.newNamespace(d.freeNSID(), cfg.Blocks, cfg.Format)
	n.extended, n.private = cfg.ExtendedLBA, cfg.Private
	if cfg.Media != nil {
		n.media, n.memory = cfg.Media, nil
		n.written.fill(true)
	}
	n.cacheWrites()
	n.group = max(cfg.ANAGroup, 1)
	if !cfg.Detached {
		for _, c := range d.controllers {
			n.attached[c.id] = true
			if cfg.Private {
				break
			}
		}
	}
	return nil
}

func (d *Drive) newNamespace(nsid uint32, blocks uint64, format int) *Namespace {
	n := &Namespace{
		drive: d, id: nsid, blocks: blocks, capacity: blocks, format: format,
		memory: newMemory(), meta: newMemory(),
		attached: make(map[uint16]bool), group: 1,
	}
	n.media = n.memory
	oui := d.profile.Controller.OUI
	binary.BigEndian.PutUint32(n.eui64[:], oui<<8)
	binary.BigEndian.PutUint32(n.eui64[4:], nsid)
	copy(n.nguid[8:], n.eui64[:])
	n.nguid[0] = byte(nsid)
	n.uuid = nvme.UUID{6: 0x40, 8: 0x80}
	copy(n.uuid[9:], d.profile.Controller.SerialNumber)
	binary.BigEndian.PutUint32(n.uuid[:], nsid)
	d.namespaces[nsid-1] = n
	return n
}

// freeNSID returns the lowest NSID that is not allocated, or 0.
func (d *Drive) freeNSID() uint32 {
	for i, n := range d.namespaces {
		if n == nil {
			return uint32(i + 1)
		}
	}
	return 0
}

// allocated returns how many bytes namespaces take.
func (d *Drive) allocated() (bytes uint64) {
	for _, n := range d.namespaces {
		if n != nil {
			bytes += n.capacity * uint64(n.blockSize())
		}
	}
	return bytes
}

func (n *Namespace) lbaFormat() nvme.LBAFormat { return n.drive.formats[n.format] }
func (n *Namespace) blockSize() int            { return n.lbaFormat().BlockSize() }
func (n *Namespace) metaSize() int             { return int(n.lbaFormat().MetadataSize) }

func (n *Namespace) attachedTo(c *Controller) bool { return n.attached[c.id] }

// erase forgets all data. What is left reads as a pattern.
func (n *Namespace) erase(pattern uint32) {
	n.bad.fill(false)
	if n.memory != nil {
		n.memory.forget(pattern)
	} else {
		n.overwrite(pattern)
	}
	n.settle()
	n.meta.forget(0)
	n.written.fill(false)
}

// overwrite fills media that is not ours with a pattern. What cannot be written
// becomes bad.
func (n *Namespace) overwrite(pattern uint32) {
	buf := make([]byte, chunkSize)
	fillPattern(buf, pattern)
	bs := uint64(n.blockSize())
	size := n.blocks * bs
	for off := uint64(0); off < size; off += chunkSize {
		part := buf[:min(chunkSize, size-off)]
		if _, err := n.media.WriteAt(part, int64(off)); err != nil {
			n.bad.add(off/bs, uint64(len(part))/bs)
		}
	}
}

// powerCycle ends what lasts until a power cycle.
func (n *Namespace) powerCycle() {
	if n.protection == protectUntilPowerCycle {
		n.protection = protectNone
	}
	n.reserved.powerLoss()
}

// identify fills in Identify Namespace.
func (n *Namespace) identify(formats int) *nvme.IdentifyNamespace {
	p := &n.drive.profile
	id := &nvme.IdentifyNamespace{
		Size: n.blocks, Capacity: n.capacity, Utilization: n.capacity,
		Features:               p.NamespaceFeatures,
		FormatCount:            uint8(formats - 1),
		FormattedLBASize:       uint8(n.format&0xf | n.format>>4<<5),
		MetadataCapabilities:   p.MetadataCapabilities,
		ProtectionCapabilities: p.ProtectionCapabilities,
		Protection:             n.pi,
		DeallocateFeatures:     1, // deallocated blocks read as zeros
		NVMCapacity:            nvme.Uint128{Lo: n.capacity * uint64(n.blockSize())},
		MaxCopyRangeLength:     copyRangeLength, MaxCopyLength: copyLength, MaxCopyRanges: copyRanges - 1,
		NGUID: n.nguid, EUI64: n.eui64,
	}
	copy(id.Formats[:formats], n.drive.formats)
	if n.extended {
		id.FormattedLBASize |= 1 << 4
	}
	if !n.private && len(n.drive.controllers) > 1 {
		id.MultiPath = 1
	}
	if p.NamespaceFeatures&nvme.ThinProvisioning != 0 {
		id.Utilization = n.written.count(n.blocks)
	}
	if p.reportsANA() {
		id.ANAGroupID = n.group
	}
	if p.Controller.NVMCommands&nvme.SupportsReservations != 0 {
		id.ReservationCapabilities = 0x7f
	}
	if p.Controller.NVMCommands&nvme.SupportsCopy == 0 {
		id.MaxCopyRangeLength, id.MaxCopyLength, id.MaxCopyRanges = 0, 0, 0
	}
	if n.protection != protectNone {
		id.Attributes = 1
	}
	if p.Controller.Attributes&nvme.EnduranceGroups != 0 {
		id.EnduranceGroupID, id.NVMSetID = 1, 1
	}
	if p.FormatProgress {
		id.FormatProgress = 0x80 | n.formatting.remaining(n.drive.now)
	}
	return id
}

// ready refuses media access while it cannot be had.
func (n *Namespace) ready() nvme.Status {
	if n.formatting != nil {
		return nvme.StatusFormatInProgress
	}
	return success
}

// writable refuses writes where the namespace is write protected.
func (n *Namespace) writable() nvme.Status {
	if n.protection != protectNone {
		return nvme.StatusWriteProtected.WithDNR()
	}
	return success
}

// formatting is a format under way.
type formatting struct{ begin, end time.Duration }

// remaining returns how many percent are left to do, at least one while it is
// under way.
func (f *formatting) remaining(now time.Duration) uint8 {
	if f == nil {
		return 0
	}
	return uint8(max(100-percentOf(now-f.begin, f.end-f.begin), 1))
}

// percentOf returns how many whole percent part is of whole, at most 100.
func percentOf(part, whole time.Duration) int {
	if whole <= 0 {
		return 100
	}
	return int(min(100*float64(part)/float64(whole), 100))
}

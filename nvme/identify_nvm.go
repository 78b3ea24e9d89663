package nvme

import "github.com/drivebay/drivebay/nvme/internal/wire"

// NVMNamespace is the NVM command set's Identify Namespace data structure (CNS
// 05h, CSI 00h): NVM Command Set 1.0, 4.1.5.3. It extends
// [IdentifyNamespace].
type NVMNamespace struct {
	StorageTagMask uint64             `json:"lbstm"`  // LBSTM: logical block storage tag mask
	Protection     uint8              `json:"pic"`    // PIC: bits 2:0 16b guard with storage tag, storage tag masking level
	Formats        [64]ExtendedFormat `json:"elbafs"` // ELBAF0 to ELBAF63
}

// ExtendedFormat is an Extended LBA Format data structure: bits 6:0 STS, the
// bits of the storage tag; 8:7 PIF, the format of protection information.
type ExtendedFormat uint32

// StorageTagSize returns the number of bits of the storage tag.
func (f ExtendedFormat) StorageTagSize() int { return int(f & 0x7f) }

// Guard returns the format of protection information (PIF).
func (f ExtendedFormat) Guard() Guard { return Guard(f >> 7 & 3) }

func (*NVMNamespace) size() int { return 4096 }

func (n *NVMNamespace) walk(w *wire.Walker) {
	wire.U64(w, 0, &n.StorageTagMask)
	wire.U8(w, 8, &n.Protection)
	w.Reserved(9, 3)
	for i := range n.Formats {
		wire.U32(w, 12+4*i, &n.Formats[i])
	}
	w.Reserved(268, 3828)
}

// NVMController is the NVM command set's Identify Controller data structure
// (CNS 06h, CSI 00h): NVM Command Set 1.0, 4.1.5.4. The limits are powers of
// two of memory pages, as MDTS is; 0 is no limit.
type NVMController struct {
	VerifyLimit             uint8  `json:"vsl"`   // VSL
	WriteZeroesLimit        uint8  `json:"wzsl"`  // WZSL
	WriteUncorrectableLimit uint8  `json:"wusl"`  // WUSL
	DatasetRanges           uint8  `json:"dmrl"`  // DMRL: ranges of a Dataset Management; 0 is no limit
	DatasetRangeSize        uint32 `json:"dmrsl"` // DMRSL: logical blocks of one range; 0 is no limit
	DatasetSize             uint64 `json:"dmsl"`  // DMSL: logical blocks of all ranges; 0 is no limit
}

func (*NVMController) size() int { return 4096 }

func (c *NVMController) walk(w *wire.Walker) {
	wire.U8(w, 0, &c.VerifyLimit)
	wire.U8(w, 1, &c.WriteZeroesLimit)
	wire.U8(w, 2, &c.WriteUncorrectableLimit)
	wire.U8(w, 3, &c.DatasetRanges)
	wire.U32(w, 4, &c.DatasetRangeSize)
	wire.U64(w, 8, &c.DatasetSize)
	w.Reserved(16, 4080)
}

// IndependentNamespace is the I/O Command Set Independent Identify Namespace
// data structure (CNS 08h): NVMe Base 2.0, 5.17.2.8. Its fields are those of
// [IdentifyNamespace].
type IndependentNamespace struct {
	Features         NamespaceFeatures `json:"nsfeat"`   // NSFEAT: bit 4 rotational media
	MultiPath        uint8             `json:"nmic"`     // NMIC
	Reservations     uint8             `json:"rescap"`   // RESCAP
	FormatProgress   uint8             `json:"fpi"`      // FPI
	ANAGroupID       uint32            `json:"anagrpid"` // ANAGRPID
	Attributes       uint8             `json:"nsattr"`   // NSATTR
	NVMSetID         uint16            `json:"nvmsetid"` // NVMSETID
	EnduranceGroupID uint16            `json:"endgid"`   // ENDGID
	Status           uint8             `json:"nstat"`    // NSTAT: bit 0 ready
}

func (*IndependentNamespace) size() int { return 4096 }

func (n *IndependentNamespace) walk(w *wire.Walker) {
	wire.U8(w, 0, &n.Features)
	wire.U8(w, 1, &n.MultiPath)
	wire.U8(w, 2, &n.Reservations)
	wire.U8(w, 3, &n.FormatProgress)
	wire.U32(w, 4, &n.ANAGroupID)
	wire.U8(w, 8, &n.Attributes)
	w.Reserved(9, 1)
	wire.U16(w, 10, &n.NVMSetID)
	wire.U16(w, 12, &n.EnduranceGroupID)
	wire.U8(w, 14, &n.Status)
	w.Reserved(15, 4081)
}

// PrimaryController is the Primary Controller Capabilities data structure (CNS
// 14h): NVMe Base 2.0, 5.17.2.12. VQ is virtual queue resources, VI virtual
// interrupt resources.
type PrimaryController struct {
	ControllerID uint16             `json:"cntlid"` // CNTLID
	PortID       uint16             `json:"portid"` // PORTID
	Types        uint8              `json:"crt"`    // CRT: bit 0 VQ, bit 1 VI
	Queues       ControllerResource `json:"vq"`     // VQFRT to VQGRAN
	Interrupts   ControllerResource `json:"vi"`     // VIFRT to VIGRAN
}

// ControllerResource counts one type of flexible resource of a
// [PrimaryController]; x is Q or I.
type ControllerResource struct {
	Total             uint32 `json:"frt"`  // VxFRT: flexible total
	Assigned          uint32 `json:"rfa"`  // VxRFA: flexible assigned
	Allocated         uint16 `json:"rfap"` // VxRFAP: flexible allocated to the primary
	Private           uint16 `json:"prt"`  // VxPRT: private total
	MaxSecondary      uint16 `json:"frsm"` // VxFRSM: flexible secondary maximum
	PreferGranularity uint16 `json:"gran"` // VxGRAN: flexible preferred granularity
}

func (*ControllerResource) size() int { return 16 }

func (r *ControllerResource) walk(w *wire.Walker) {
	wire.U32(w, 0, &r.Total)
	wire.U32(w, 4, &r.Assigned)
	wire.U16(w, 8, &r.Allocated)
	wire.U16(w, 10, &r.Private)
	wire.U16(w, 12, &r.MaxSecondary)
	wire.U16(w, 14, &r.PreferGranularity)
}

func (*PrimaryController) size() int { return 4096 }

func (p *PrimaryController) walk(w *wire.Walker) {
	wire.U16(w, 0, &p.ControllerID)
	wire.U16(w, 2, &p.PortID)
	wire.U8(w, 4, &p.Types)
	w.Reserved(5, 27)
	nested(w, 32, &p.Queues)
	w.Reserved(48, 16)
	nested(w, 64, &p.Interrupts)
	w.Reserved(80, 4016)
}

// SecondaryController is an entry of [SecondaryControllers].
type SecondaryController struct {
	ID         uint16 `json:"secondary-controller-identifier"` // SCID
	PrimaryID  uint16 `json:"primary-controller-identifier"`   // PCID
	State      uint8  `json:"secondary-controller-state"`      // SCS: bit 0 online
	Function   uint16 `json:"virtual-function-number"`         // VFN: the virtual function; 0 if it is none
	Queues     uint16 `json:"num-virtual-queues"`              // NVQ
	Interrupts uint16 `json:"num-virtual-interrupts"`          // NVI
}

func (*SecondaryController) size() int { return 32 }

func (s *SecondaryController) walk(w *wire.Walker) {
	wire.U16(w, 0, &s.ID)
	wire.U16(w, 2, &s.PrimaryID)
	wire.U8(w, 4, &s.State)
	w.Reserved(5, 3)
	wire.U16(w, 8, &s.Function)
	wire.U16(w, 10, &s.Queues)
	wire.U16(w, 12, &s.Interrupts)
	w.Reserved(14, 18)
}

// SecondaryControllers is the Secondary Controller list (CNS 15h), at most 127
// of them: NVMe Base 2.0, 5.17.2.13.
type SecondaryControllers []SecondaryController

func (*SecondaryControllers) size() int { return 4096 }

func (l *SecondaryControllers) walk(w *wire.Walker) {
	walkEntries(w, (*[]SecondaryController)(l), 32, 127)
}

// NVMSet is an entry of [NVMSetList].
type NVMSet struct {
	ID                  uint16  `json:"nvmset_id"`              // NVM Set Identifier
	EnduranceGroupID    uint16  `json:"endurance_group_id"`     // Endurance Group Identifier
	RandomRead4K        uint32  `json:"random_4k_read_typical"` // in units of 100 ns
	OptimalWriteSize    uint32  `json:"optimal_write_size"`     // bytes
	TotalCapacity       Uint128 `json:"total_nvmset_cap"`       // bytes
	UnallocatedCapacity Uint128 `json:"unalloc_nvmset_cap"`     // bytes
}

func (*NVMSet) size() int { return 128 }

func (s *NVMSet) walk(w *wire.Walker) {
	wire.U16(w, 0, &s.ID)
	wire.U16(w, 2, &s.EnduranceGroupID)
	w.Reserved(4, 4)
	wire.U32(w, 8, &s.RandomRead4K)
	wire.U32(w, 12, &s.OptimalWriteSize)
	wire.U128(w, 16, &s.TotalCapacity)
	wire.U128(w, 32, &s.UnallocatedCapacity)
	w.Reserved(48, 80)
}

// NVMSetList is a list of NVM sets (CNS 04h), at most 31 of them: NVMe Base
// 2.0, 5.17.2.4.
type NVMSetList []NVMSet

func (*NVMSetList) size() int { return 4096 }

func (l *NVMSetList) walk(w *wire.Walker) { walkEntries(w, (*[]NVMSet)(l), 128, 31) }

// Domain is an entry of [DomainList].
type Domain struct {
	ID                  uint16  `json:"dom_id"`
	TotalCapacity       Uint128 `json:"dom_cap"`          // bytes
	UnallocatedCapacity Uint128 `json:"unalloc_dom_cap"`  // bytes
	MaxGroupCapacity    Uint128 `json:"max_egrp_dom_cap"` // bytes, of one endurance group
}

func (*Domain) size() int { return 128 }

func (d *Domain) walk(w *wire.Walker) {
	wire.U16(w, 0, &d.ID)
	w.Reserved(2, 14)
	wire.U128(w, 16, &d.TotalCapacity)
	wire.U128(w, 32, &d.UnallocatedCapacity)
	wire.U128(w, 48, &d.MaxGroupCapacity)
	w.Reserved(64, 64)
}

// DomainList is a list of domains (CNS 18h), at most 31 of them: NVMe Base 2.0,
// 5.17.2.16.
type DomainList []Domain

func (*DomainList) size() int { return 4096 }

func (l *DomainList) walk(w *wire.Walker) { walkEntries(w, (*[]Domain)(l), 128, 31) }

// walkEntries visits a count in one byte, and from first on as many entries, in
// 4096 bytes.
func walkEntries[T any, P interface {
	*T
	Structure
}](w *wire.Walker, l *[]T, first, most int) {
	raw := w.Area(0, 4096, l)
	switch {
	case w.Decoding():
		if int(raw[0]) > most {
			w.Failf("%d entries, want at most %d", raw[0], most)
			return
		}
		*l = nil
		if raw[0] > 0 {
			*l = make([]T, raw[0])
		}
	case w.Encoding():
		if len(*l) > most {
			w.Failf("%d entries, want at most %d", len(*l), most)
			return
		}
		raw[0] = byte(len(*l))
	default:
		return
	}
	for i := range *l {
		entry := P(&(*l)[i])
		nested(w, first+i*entry.size(), entry)
	}
}

// Granularities is the Namespace Granularity List (CNS 16h): NVM Command Set
// 1.0, 4.1.5.5.
type Granularities struct {
	Attributes uint32        `json:"attributes"`                 // bit 0: the entries match the LBA formats
	Entries    []Granularity `json:"namespace-granularity-list"` // at most 16
}

// Granularity says in which steps a namespace's size and capacity waste none.
type Granularity struct {
	Size     uint64 `json:"namespace-size-granularity"`     // NSG: bytes
	Capacity uint64 `json:"namespace-capacity-granularity"` // NCG: bytes
}

func (*Granularity) size() int { return 16 }

func (g *Granularity) walk(w *wire.Walker) {
	wire.U64(w, 0, &g.Size)
	wire.U64(w, 8, &g.Capacity)
}

func (*Granularities) size() int { return 4096 }

func (g *Granularities) walk(w *wire.Walker) {
	wire.U32(w, 0, &g.Attributes)
	last := w.Area(4, 1, &g.Entries) // 0's based, so that there is always one
	w.Reserved(5, 27)
	w.Area(32, 16*16, &g.Entries)
	w.Reserved(288, 3808)
	switch {
	case w.Decoding():
		if last[0] > 15 {
			w.Failf("%d entries, want at most 16", int(last[0])+1)
			return
		}
		g.Entries = make([]Granularity, int(last[0])+1)
	case w.Encoding():
		if len(g.Entries) > 16 {
			w.Failf("%d entries, want at most 16", len(g.Entries))
			return
		}
		last[0] = byte(max(len(g.Entries), 1) - 1)
	default:
		return
	}
	for i := range g.Entries {
		nested(w, 32+16*i, &g.Entries[i])
	}
}

package nvme

import (
	"fmt"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// IdentifyNamespace is the Identify Namespace data structure of the NVM command
// set (CNS 00h): NVM Command Set 1.0, 4.1.5.1. An NSID that is valid but not
// active is answered with zeros. Each comment begins with the specification's
// abbreviation, which is also the JSON name.
type IdentifyNamespace struct {
	Size                           uint64            `json:"nsze"`     // NSZE: logical blocks
	Capacity                       uint64            `json:"ncap"`     // NCAP: logical blocks that may be allocated
	Utilization                    uint64            `json:"nuse"`     // NUSE: logical blocks that are allocated
	Features                       NamespaceFeatures `json:"nsfeat"`   // NSFEAT
	FormatCount                    uint8             `json:"nlbaf"`    // NLBAF: 0's based
	FormattedLBASize               uint8             `json:"flbas"`    // FLBAS: see FormatIndex, ExtendedLBA
	MetadataCapabilities           uint8             `json:"mc"`       // MC: bit 0 as extended LBA, bit 1 separate
	ProtectionCapabilities         uint8             `json:"dpc"`      // DPC: bits 2:0 types 3 to 1 from the top; 3 first, 4 last bytes
	Protection                     uint8             `json:"dps"`      // DPS: bits 2:0 type, bit 3 first bytes
	MultiPath                      uint8             `json:"nmic"`     // NMIC: bit 0 may be shared
	ReservationCapabilities        uint8             `json:"rescap"`   // RESCAP
	FormatProgress                 uint8             `json:"fpi"`      // FPI: bit 7 supported, bits 6:0 percent that remain
	DeallocateFeatures             uint8             `json:"dlfeat"`   // DLFEAT: bits 2:0 what a deallocated block reads as
	AtomicWriteNormal              uint16            `json:"nawun"`    // NAWUN: logical blocks, 0's based
	AtomicWritePowerFail           uint16            `json:"nawupf"`   // NAWUPF: logical blocks, 0's based
	AtomicCompareWrite             uint16            `json:"nacwu"`    // NACWU: logical blocks, 0's based
	AtomicBoundarySize             uint16            `json:"nabsn"`    // NABSN: logical blocks, 0's based
	AtomicBoundaryOffset           uint16            `json:"nabo"`     // NABO: logical blocks
	AtomicBoundaryPowerFail        uint16            `json:"nabspf"`   // NABSPF: logical blocks, 0's based
	OptimalIOBoundary              uint16            `json:"noiob"`    // NOIOB: logical blocks
	NVMCapacity                    Uint128           `json:"nvmcap"`   // NVMCAP: bytes
	PreferredWriteGranularity      uint16            `json:"npwg"`     // NPWG: logical blocks, 0's based
	PreferredWriteAlignment        uint16            `json:"npwa"`     // NPWA: logical blocks, 0's based
	PreferredDeallocateGranularity uint16            `json:"npdg"`     // NPDG: logical blocks, 0's based
	PreferredDeallocateAlignment   uint16            `json:"npda"`     // NPDA: logical blocks, 0's based
	OptimalWriteSize               uint16            `json:"nows"`     // NOWS: logical blocks, 0's based
	MaxCopyRangeLength             uint16            `json:"mssrl"`    // MSSRL: logical blocks of one source range of Copy
	MaxCopyLength                  uint32            `json:"mcl"`      // MCL: logical blocks of one Copy
	MaxCopyRanges                  uint8             `json:"msrc"`     // MSRC: source ranges of one Copy, 0's based
	UniqueFormatCount              uint8             `json:"nulbaf"`   // NULBAF: formats with unique attributes
	ANAGroupID                     uint32            `json:"anagrpid"` // ANAGRPID
	Attributes                     uint8             `json:"nsattr"`   // NSATTR: bit 0 write protected now
	NVMSetID                       uint16            `json:"nvmsetid"` // NVMSETID
	EnduranceGroupID               uint16            `json:"endgid"`   // ENDGID
	NGUID                          NGUID             `json:"nguid"`    // NGUID
	EUI64                          EUI64             `json:"eui64"`    // EUI64
	Formats                        [64]LBAFormat     `json:"-"`        // LBAF0 to LBAF63; JSON lbafs, up to NLBAF
	VendorSpecific                 [3712]byte        `json:"-"`        // VS
}

func (*IdentifyNamespace) size() int { return 4096 }

func (n *IdentifyNamespace) walk(w *wire.Walker) {
	wire.U64(w, 0, &n.Size)
	wire.U64(w, 8, &n.Capacity)
	wire.U64(w, 16, &n.Utilization)
	wire.U8(w, 24, &n.Features)
	wire.U8(w, 25, &n.FormatCount)
	wire.U8(w, 26, &n.FormattedLBASize)
	wire.U8(w, 27, &n.MetadataCapabilities)
	wire.U8(w, 28, &n.ProtectionCapabilities)
	wire.U8(w, 29, &n.Protection)
	wire.U8(w, 30, &n.MultiPath)
	wire.U8(w, 31, &n.ReservationCapabilities)
	wire.U8(w, 32, &n.FormatProgress)
	wire.U8(w, 33, &n.DeallocateFeatures)
	wire.U16(w, 34, &n.AtomicWriteNormal)
	wire.U16(w, 36, &n.AtomicWritePowerFail)
	wire.U16(w, 38, &n.AtomicCompareWrite)
	wire.U16(w, 40, &n.AtomicBoundarySize)
	wire.U16(w, 42, &n.AtomicBoundaryOffset)
	wire.U16(w, 44, &n.AtomicBoundaryPowerFail)
	wire.U16(w, 46, &n.OptimalIOBoundary)
	wire.U128(w, 48, &n.NVMCapacity)
	wire.U16(w, 64, &n.PreferredWriteGranularity)
	wire.U16(w, 66, &n.PreferredWriteAlignment)
	wire.U16(w, 68, &n.PreferredDeallocateGranularity)
	wire.U16(w, 70, &n.PreferredDeallocateAlignment)
	wire.U16(w, 72, &n.OptimalWriteSize)
	wire.U16(w, 74, &n.MaxCopyRangeLength)
	wire.U32(w, 76, &n.MaxCopyLength)
	wire.U8(w, 80, &n.MaxCopyRanges)
	w.Reserved(81, 1)
	wire.U8(w, 82, &n.UniqueFormatCount)
	w.Reserved(83, 9)
	wire.U32(w, 92, &n.ANAGroupID)
	w.Reserved(96, 3)
	wire.U8(w, 99, &n.Attributes)
	wire.U16(w, 100, &n.NVMSetID)
	wire.U16(w, 102, &n.EnduranceGroupID)
	w.Bytes(104, n.NGUID[:])
	w.Bytes(120, n.EUI64[:])
	for i := range n.Formats {
		nested(w, 128+4*i, &n.Formats[i])
	}
	w.Bytes(384, n.VendorSpecific[:])
}

// FormatIndex returns the index in Formats of the LBA format in use: FLBAS
// bits 3:0, and bits 6:5 above them where the namespace has more than 16.
func (n *IdentifyNamespace) FormatIndex() int {
	i := int(n.FormattedLBASize & 0xf)
	if n.formats() > 16 {
		i |= int(n.FormattedLBASize>>5&3) << 4
	}
	return i
}

// Format returns the LBA format in use.
func (n *IdentifyNamespace) Format() LBAFormat { return n.Formats[n.FormatIndex()] }

// ExtendedLBA reports whether metadata lies at the end of each block's data,
// rather than in a buffer of its own.
func (n *IdentifyNamespace) ExtendedLBA() bool { return n.FormattedLBASize&(1<<4) != 0 }

// OfferedFormats returns the LBA formats that the namespace may be formatted
// with, in the order of their index. Some may be unusable; see
// [LBAFormat.Offered].
func (n *IdentifyNamespace) OfferedFormats() []LBAFormat { return n.Formats[:n.formats()] }

func (n *IdentifyNamespace) formats() int {
	return min(int(n.FormatCount)+1+int(n.UniqueFormatCount), len(n.Formats))
}

// ProtectionType returns the type of end-to-end protection information, 1 to
// 3; 0 is none.
func (n *IdentifyNamespace) ProtectionType() int { return int(n.Protection & 7) }

// FormatRemaining returns how many percent of a format remain to be done, and
// whether the namespace reports it.
func (n *IdentifyNamespace) FormatRemaining() (percent int, ok bool) {
	return int(n.FormatProgress & 0x7f), n.FormatProgress&0x80 != 0
}

// NamespaceFeatures are optional features of a namespace (NSFEAT).
type NamespaceFeatures uint8

// Bits of NamespaceFeatures.
const (
	ThinProvisioning     NamespaceFeatures = 1 << iota // THINP
	NamespaceAtomicity                                 // NSABP: the NAWUN family of fields is valid
	DeallocatedError                                   // DAE: deallocated or unwritten block error
	IdentifiersNotReused                               // UIDREUSE
	OptimalPerformance                                 // OPTPERF: the NPWG family of fields is valid
)

// String names the bits.
func (f NamespaceFeatures) String() string {
	return flagText(uint64(f), "thin", "atomicity", "deallocated-error", "ids-not-reused", "optimal-performance")
}

// LBAFormat is an LBA Format data structure: NVM Command Set 1.0, 4.1.5.1.
type LBAFormat struct {
	MetadataSize        uint16 `json:"ms"` // MS: bytes for each logical block
	DataSize            uint8  `json:"ds"` // LBADS: as a power of two; 0 is a format that is not available
	RelativePerformance uint8  `json:"rp"` // RP: bits 1:0, 0 is best
}

func (*LBAFormat) size() int { return 4 }

func (f *LBAFormat) walk(w *wire.Walker) {
	wire.U16(w, 0, &f.MetadataSize)
	wire.U8(w, 2, &f.DataSize)
	wire.U8(w, 3, &f.RelativePerformance)
}

// Offered reports whether the format can be used: LBADS is at least 9. Above
// 30, which is a block of 1 GiB, it is taken for damage.
func (f LBAFormat) Offered() bool { return f.DataSize >= 9 && f.DataSize <= 30 }

// BlockSize returns the bytes of data in a logical block, without metadata; 0
// if the format is not offered.
func (f LBAFormat) BlockSize() int {
	if !f.Offered() {
		return 0
	}
	return 1 << f.DataSize
}

// String returns a form such as "4096+8": bytes of data and of metadata.
func (f LBAFormat) String() string {
	if f.MetadataSize == 0 {
		return fmt.Sprint(f.BlockSize())
	}
	return fmt.Sprintf("%d+%d", f.BlockSize(), f.MetadataSize)
}

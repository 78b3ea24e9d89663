package nvmetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/drivebay/drivebay/nvme"
)

// Profile describes a drive. The functions that return one, such as
// [Enterprise], are where to start; every field may be changed before [New].
type Profile struct {
	Name string

	// Controller is what Identify Controller answers, but for what the drive
	// keeps itself: the firmware revision, the controller identifier, and the
	// capacity that is not allocated. What it claims is what the drive does: a
	// command that OACS or ONCS does not claim is an invalid opcode, and
	// so on. VER decides what is older than the specification that has it.
	Controller nvme.IdentifyController
	// NVM is what the NVM command set's Identify Controller answers; zero is
	// no limits. NVMe 2.0.
	NVM nvme.NVMController
	// Controllers is how many controllers the NVM subsystem has; 0 is one.
	Controllers int
	// PageSize is the smallest memory page in bytes, which MDTS counts by; 0 is
	// 4096.
	PageSize int

	// Formats are the LBA formats that every namespace offers, at most 64, of
	// which 16 without the host's consent by Host Behavior Support.
	Formats []nvme.LBAFormat
	// MetadataCapabilities (MC), ProtectionCapabilities (DPC), NamespaceFeatures
	// (NSFEAT) and FormatProgress (FPI is reported) hold for every namespace.
	MetadataCapabilities   uint8
	ProtectionCapabilities uint8
	NamespaceFeatures      nvme.NamespaceFeatures
	FormatProgress         bool
	// Namespaces are those that the drive comes with.
	Namespaces []NamespaceConfig

	// CacheSize is how many bytes the volatile write cache of each namespace holds;
	// 0 is that whatever was written is on the media at once. It wants VWC. A loss
	// of power loses what is in it, see [Drive.LosePower]. Blocks with metadata are
	// written through.
	CacheSize int

	// LogPages are those that the drive has; 01h, 02h and 03h are on every one.
	LogPages []nvme.LogPageID
	// Features are the features that the drive has beyond the mandatory ones.
	Features []nvme.FeatureID
	// Firmware says what is in the firmware slots and what updates are like.
	Firmware FirmwareConfig

	// How long operations take. Zero is no time at all, so that they are over at
	// once. Overwrite is one pass.
	FormatTime, BlockEraseTime, CryptoEraseTime, OverwriteTime, ShortSelfTestTime time.Duration
	// ReadyTime is how long the controller is not ready after a reset.
	ReadyTime time.Duration

	// SubsystemReset says that the controller has NSSR.
	SubsystemReset bool
	// Stepped says that a command which takes time does not let it pass itself:
	// somebody else calls Advance or Wait.
	Stepped bool
	// Quirks are where the drive does not keep to the specification.
	Quirks Quirks
	// JournalLimit is how many entries the journal keeps; 0 is 4096, negative is
	// none.
	JournalLimit int
}

// Quirks are ways of real and emulated drives that are not the specification's.
// The zero value has none.
type Quirks struct {
	// Refused are admin commands that the drive claims, and yet does not know.
	Refused []nvme.Opcode
	// LogIsInvalidField answers Invalid Field in Command, rather than Invalid Log
	// Page, where a log page is not there.
	LogIsInvalidField bool
	// NoErrorLog has no entries in the error log, and no MORE in statuses.
	NoErrorLog bool
}

// NamespaceConfig describes a namespace that a drive comes with. Its NSID is its
// place among them, from 1.
type NamespaceConfig struct {
	// Blocks is the size in logical blocks.
	Blocks uint64
	// Format is the index of the LBA format.
	Format int
	// ExtendedLBA has metadata at the end of each block's data.
	ExtendedLBA bool
	// Media holds the data; nil is memory, of which only what was written takes
	// any. It must be as large as the namespace, and stays the caller's.
	// Metadata is always in memory.
	Media Media
	// ANAGroup is the ANA group; 0 is 1. Others need [MultiPath].
	ANAGroup uint32
	// Detached leaves the namespace without a controller.
	Detached bool
	// Private allows one controller at a time only, and is attached to the first.
	Private bool
}

func (p Profile) clone() Profile {
	p.Formats = slices.Clone(p.Formats)
	p.Namespaces = slices.Clone(p.Namespaces)
	p.LogPages = slices.Clone(p.LogPages)
	p.Features = slices.Clone(p.Features)
	p.Firmware.Slots = slices.Clone(p.Firmware.Slots)
	p.Quirks.Refused = slices.Clone(p.Quirks.Refused)
	return p
}

// complete fills in what zero means, and refuses contradictions.
func (p *Profile) complete() error {
	p.Controllers = max(p.Controllers, 1)
	if p.PageSize == 0 {
		p.PageSize = 4096
	}
	if p.JournalLimit == 0 {
		p.JournalLimit = 4096
	}
	slots := p.Controller.FirmwareUpdates.Slots()
	switch id := &p.Controller; {
	case id.NamespaceCount == 0 || id.NamespaceCount > 1024:
		return fmt.Errorf("NN is %d, want 1 to 1024", id.NamespaceCount)
	case len(p.Namespaces) > int(id.NamespaceCount):
		return fmt.Errorf("%d namespaces, want at most NN, %d", len(p.Namespaces), id.NamespaceCount)
	case len(p.Formats) == 0 || len(p.Formats) > 64:
		return fmt.Errorf("%d LBA formats, want 1 to 64", len(p.Formats))
	case slots == 0:
		return errors.New("FRMW has no firmware slot, want 1 to 7")
	case p.Controllers > 1 && id.MultiPath&2 == 0:
		return fmt.Errorf("%d controllers, but CMIC bit 1 does not say so", p.Controllers)
	case p.CacheSize < 0 || p.CacheSize > 0 && id.VolatileWriteCache&1 == 0:
		return fmt.Errorf("cache size is %d, want 0, or a positive number where VWC says that there is a cache", p.CacheSize)
	case p.PageSize&(p.PageSize-1) != 0 || p.PageSize < 4096:
		return fmt.Errorf("page size is %d, want a power of two from 4096", p.PageSize)
	}
	for i, f := range p.Formats {
		if f.Offered() && f.DataSize > 16 {
			return fmt.Errorf("LBA format %d has blocks of %d bytes, want at most 65536", i, f.BlockSize())
		}
	}
	return p.Firmware.complete(slots)
}

// maxTransfer returns the most bytes that a command may carry.
func (p *Profile) maxTransfer() uint64 { return p.Controller.MaxTransfer(uint64(p.PageSize)) }

// since reports whether the drive follows a version of the specification, or a
// later one.
func (p *Profile) since(v nvme.Version) bool { return p.Controller.Version >= v }

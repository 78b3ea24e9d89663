package nvme

import (
	"fmt"
	"time"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// IdentifyController is the Identify Controller data structure (CNS 01h):
// NVMe Base 2.0, 5.17.2.1, with the fields of the NVM command set. Numbers are
// as on the wire, which makes some of them 0's based or powers of two: the
// comments say so, and methods compute. Each comment begins with the
// specification's abbreviation, which is also the JSON name.
type IdentifyController struct {
	PCIVendorID               uint16               `json:"vid"`       // VID
	PCISubsystemVendorID      uint16               `json:"ssvid"`     // SSVID
	SerialNumber              string               `json:"sn"`        // SN: 20 bytes, padding removed
	ModelNumber               string               `json:"mn"`        // MN: 40 bytes, padding removed
	FirmwareRevision          string               `json:"fr"`        // FR: 8 bytes, padding removed
	ArbitrationBurst          uint8                `json:"rab"`       // RAB: recommended, as a power of two
	OUI                       uint32               `json:"ieee"`      // IEEE: the vendor's 24-bit identifier
	MultiPath                 uint8                `json:"cmic"`      // CMIC: multi-path I/O and namespace sharing
	MaxDataTransferSize       uint8                `json:"mdts"`      // MDTS: as a power of two of memory pages; 0 is no limit
	ControllerID              uint16               `json:"cntlid"`    // CNTLID
	Version                   Version              `json:"ver"`       // VER: zero before NVMe 1.2
	RTD3Resume                uint32               `json:"rtd3r"`     // RTD3R: microseconds
	RTD3Entry                 uint32               `json:"rtd3e"`     // RTD3E: microseconds
	AsyncEvents               uint32               `json:"oaes"`      // OAES: optional asynchronous events supported
	Attributes                ControllerAttributes `json:"ctratt"`    // CTRATT
	ReadRecoveryLevels        uint16               `json:"rrls"`      // RRLS: a bit per level
	Type                      ControllerType       `json:"cntrltype"` // CNTRLTYPE
	FRUGUID                   UUID                 `json:"fguid"`     // FGUID: of the field replaceable unit
	CommandRetryDelay         [3]uint16            `json:"-"`         // CRDT1 to CRDT3: units of 100 ms; JSON crdt1 to crdt3
	SubsystemReport           uint8                `json:"nvmsr"`     // NVMSR: NVM subsystem report
	VPDWriteCycles            uint8                `json:"vwci"`      // VWCI
	ManagementEndpoint        uint8                `json:"mec"`       // MEC: management endpoint capabilities
	AdminCommands             AdminCommands        `json:"oacs"`      // OACS: optional admin commands supported
	AbortLimit                uint8                `json:"acl"`       // ACL: 0's based
	AsyncEventLimit           uint8                `json:"aerl"`      // AERL: 0's based
	FirmwareUpdates           FirmwareUpdates      `json:"frmw"`      // FRMW
	LogPages                  LogPageAttributes    `json:"lpa"`       // LPA
	ErrorLogEntries           uint8                `json:"elpe"`      // ELPE: 0's based
	PowerStateCount           uint8                `json:"npss"`      // NPSS: 0's based
	VendorAdminCommands       uint8                `json:"avscc"`     // AVSCC: vendor's admin commands use NVMe's format
	AutonomousPowerStates     uint8                `json:"apsta"`     // APSTA
	WarningTemperature        Temperature          `json:"wctemp"`    // WCTEMP: composite temperature threshold; 0 is none
	CriticalTemperature       Temperature          `json:"cctemp"`    // CCTEMP: composite temperature threshold; 0 is none
	MaxActivationTime         uint16               `json:"mtfa"`      // MTFA: of firmware, in units of 100 ms; 0 is undefined
	HostMemoryPreferred       uint32               `json:"hmpre"`     // HMPRE: units of 4 KiB
	HostMemoryMin             uint32               `json:"hmmin"`     // HMMIN: units of 4 KiB
	TotalCapacity             Uint128              `json:"tnvmcap"`   // TNVMCAP: bytes
	UnallocatedCapacity       Uint128              `json:"unvmcap"`   // UNVMCAP: bytes
	RPMBSupport               uint32               `json:"rpmbs"`     // RPMBS: replay protected memory block
	ExtendedSelfTestTime      uint16               `json:"edstt"`     // EDSTT: minutes
	SelfTestOptions           uint8                `json:"dsto"`      // DSTO: bit 0, one test at a time in the NVM subsystem
	FirmwareGranularity       uint8                `json:"fwug"`      // FWUG: units of 4 KiB; 0 is unknown, 255 is any
	KeepAliveGranularity      uint16               `json:"kas"`       // KAS: units of 100 ms
	ThermalManagement         uint16               `json:"hctma"`     // HCTMA: bit 0, host controlled thermal management
	MinThermalTemperature     Temperature          `json:"mntmt"`     // MNTMT
	MaxThermalTemperature     Temperature          `json:"mxtmt"`     // MXTMT
	Sanitize                  SanitizeCapabilities `json:"sanicap"`   // SANICAP
	HostMemoryMinDescriptor   uint32               `json:"hmminds"`   // HMMINDS: units of 4 KiB
	HostMemoryMaxDescriptors  uint16               `json:"hmmaxd"`    // HMMAXD
	NVMSetMax                 uint16               `json:"nsetidmax"` // NSETIDMAX
	EnduranceGroupMax         uint16               `json:"endgidmax"` // ENDGIDMAX
	ANATransitionTime         uint8                `json:"anatt"`     // ANATT: seconds
	ANACapabilities           uint8                `json:"anacap"`    // ANACAP
	ANAGroupMax               uint32               `json:"anagrpmax"` // ANAGRPMAX
	ANAGroupCount             uint32               `json:"nanagrpid"` // NANAGRPID
	PersistentEventLogSize    uint32               `json:"pels"`      // PELS: units of 64 KiB
	DomainID                  uint16               `json:"domainid"`  // DOMAINID
	MaxEnduranceGroupCapacity Uint128              `json:"megcap"`    // MEGCAP: bytes
	SQEntrySize               uint8                `json:"sqes"`      // SQES: powers of two; 3:0 required, 7:4 maximum
	CQEntrySize               uint8                `json:"cqes"`      // CQES: powers of two; 3:0 required, 7:4 maximum
	MaxCommands               uint16               `json:"maxcmd"`    // MAXCMD
	NamespaceCount            uint32               `json:"nn"`        // NN: the greatest valid NSID
	NVMCommands               NVMCommands          `json:"oncs"`      // ONCS: optional NVM commands supported
	FusedOperations           uint16               `json:"fuses"`     // FUSES
	FormatAttributes          FormatAttributes     `json:"fna"`       // FNA
	VolatileWriteCache        uint8                `json:"vwc"`       // VWC: bit 0 present; bits 2:1 broadcast flush
	AtomicWriteNormal         uint16               `json:"awun"`      // AWUN: logical blocks, 0's based
	AtomicWritePowerFail      uint16               `json:"awupf"`     // AWUPF: logical blocks, 0's based
	VendorIOCommands          uint8                `json:"icsvscc"`   // ICSVSCC: vendor's I/O commands use NVMe's format
	NamespaceWriteProtection  uint8                `json:"nwpc"`      // NWPC: bit 0 write protect, 1 until power cycle, 2 permanent
	AtomicCompareWrite        uint16               `json:"acwu"`      // ACWU: logical blocks, 0's based
	CopyFormats               uint16               `json:"ocfs"`      // OCFS: a bit per descriptor format
	SGLSupport                uint32               `json:"sgls"`      // SGLS
	MaxAllowedNamespaces      uint32               `json:"mnan"`      // MNAN: 0 is NN
	MaxDomainAttachments      Uint128              `json:"maxdna"`    // MAXDNA
	MaxControllerAttachments  uint32               `json:"maxcna"`    // MAXCNA
	SubsystemNQN              string               `json:"subnqn"`    // SUBNQN
	IOCapsuleCommand          uint32               `json:"ioccsz"`    // IOCCSZ: fabrics, units of 16 bytes
	IOCapsuleResponse         uint32               `json:"iorcsz"`    // IORCSZ: fabrics, units of 16 bytes
	InCapsuleDataOffset       uint16               `json:"icdoff"`    // ICDOFF: fabrics, units of 16 bytes
	FabricsAttributes         uint8                `json:"fcatt"`     // FCATT: fabrics controller attributes
	MaxSGLBlocks              uint8                `json:"msdbd"`     // MSDBD: fabrics
	FabricsCommands           uint16               `json:"ofcs"`      // OFCS: optional fabrics commands
	DiscoveryType             uint8                `json:"dctype"`    // DCTYPE: fabrics (Base 2.0a and later)
	PowerStates               [32]PowerState       `json:"-"`         // PSD0 to PSD31; JSON psds, up to NPSS
	VendorSpecific            [1024]byte           `json:"-"`         // VS
}

func (*IdentifyController) size() int { return 4096 }

func (c *IdentifyController) walk(w *wire.Walker) {
	wire.U16(w, 0, &c.PCIVendorID)
	wire.U16(w, 2, &c.PCISubsystemVendorID)
	w.Text(4, 20, &c.SerialNumber)
	w.Text(24, 40, &c.ModelNumber)
	w.Text(64, 8, &c.FirmwareRevision)
	wire.U8(w, 72, &c.ArbitrationBurst)
	wire.U24(w, 73, &c.OUI)
	wire.U8(w, 76, &c.MultiPath)
	wire.U8(w, 77, &c.MaxDataTransferSize)
	wire.U16(w, 78, &c.ControllerID)
	wire.U32(w, 80, &c.Version)
	wire.U32(w, 84, &c.RTD3Resume)
	wire.U32(w, 88, &c.RTD3Entry)
	wire.U32(w, 92, &c.AsyncEvents)
	wire.U32(w, 96, &c.Attributes)
	wire.U16(w, 100, &c.ReadRecoveryLevels)
	w.Reserved(102, 9)
	wire.U8(w, 111, &c.Type)
	w.Bytes(112, c.FRUGUID[:])
	for i := range c.CommandRetryDelay {
		wire.U16(w, 128+2*i, &c.CommandRetryDelay[i])
	}
	w.Reserved(134, 119)
	wire.U8(w, 253, &c.SubsystemReport)
	wire.U8(w, 254, &c.VPDWriteCycles)
	wire.U8(w, 255, &c.ManagementEndpoint)
	c.walkAdmin(w)
	c.walkNVM(w)
	w.UTF8(768, 256, &c.SubsystemNQN)
	w.Reserved(1024, 768)
	wire.U32(w, 1792, &c.IOCapsuleCommand)
	wire.U32(w, 1796, &c.IOCapsuleResponse)
	wire.U16(w, 1800, &c.InCapsuleDataOffset)
	wire.U8(w, 1802, &c.FabricsAttributes)
	wire.U8(w, 1803, &c.MaxSGLBlocks)
	wire.U16(w, 1804, &c.FabricsCommands)
	wire.U8(w, 1806, &c.DiscoveryType)
	w.Reserved(1807, 241)
	for i := range c.PowerStates {
		nested(w, 2048+32*i, &c.PowerStates[i])
	}
	w.Bytes(3072, c.VendorSpecific[:])
}

// walkAdmin visits "Admin Command Set Attributes & Optional Controller
// Capabilities".
func (c *IdentifyController) walkAdmin(w *wire.Walker) {
	wire.U16(w, 256, &c.AdminCommands)
	wire.U8(w, 258, &c.AbortLimit)
	wire.U8(w, 259, &c.AsyncEventLimit)
	wire.U8(w, 260, &c.FirmwareUpdates)
	wire.U8(w, 261, &c.LogPages)
	wire.U8(w, 262, &c.ErrorLogEntries)
	wire.U8(w, 263, &c.PowerStateCount)
	wire.U8(w, 264, &c.VendorAdminCommands)
	wire.U8(w, 265, &c.AutonomousPowerStates)
	wire.U16(w, 266, &c.WarningTemperature)
	wire.U16(w, 268, &c.CriticalTemperature)
	wire.U16(w, 270, &c.MaxActivationTime)
	wire.U32(w, 272, &c.HostMemoryPreferred)
	wire.U32(w, 276, &c.HostMemoryMin)
	wire.U128(w, 280, &c.TotalCapacity)
	wire.U128(w, 296, &c.UnallocatedCapacity)
	wire.U32(w, 312, &c.RPMBSupport)
	wire.U16(w, 316, &c.ExtendedSelfTestTime)
	wire.U8(w, 318, &c.SelfTestOptions)
	wire.U8(w, 319, &c.FirmwareGranularity)
	wire.U16(w, 320, &c.KeepAliveGranularity)
	wire.U16(w, 322, &c.ThermalManagement)
	wire.U16(w, 324, &c.MinThermalTemperature)
	wire.U16(w, 326, &c.MaxThermalTemperature)
	wire.U32(w, 328, &c.Sanitize)
	wire.U32(w, 332, &c.HostMemoryMinDescriptor)
	wire.U16(w, 336, &c.HostMemoryMaxDescriptors)
	wire.U16(w, 338, &c.NVMSetMax)
	wire.U16(w, 340, &c.EnduranceGroupMax)
	wire.U8(w, 342, &c.ANATransitionTime)
	wire.U8(w, 343, &c.ANACapabilities)
	wire.U32(w, 344, &c.ANAGroupMax)
	wire.U32(w, 348, &c.ANAGroupCount)
	wire.U32(w, 352, &c.PersistentEventLogSize)
	wire.U16(w, 356, &c.DomainID)
	w.Reserved(358, 10)
	wire.U128(w, 368, &c.MaxEnduranceGroupCapacity)
	w.Reserved(384, 128)
}

// walkNVM visits "NVM Command Set Attributes".
func (c *IdentifyController) walkNVM(w *wire.Walker) {
	wire.U8(w, 512, &c.SQEntrySize)
	wire.U8(w, 513, &c.CQEntrySize)
	wire.U16(w, 514, &c.MaxCommands)
	wire.U32(w, 516, &c.NamespaceCount)
	wire.U16(w, 520, &c.NVMCommands)
	wire.U16(w, 522, &c.FusedOperations)
	wire.U8(w, 524, &c.FormatAttributes)
	wire.U8(w, 525, &c.VolatileWriteCache)
	wire.U16(w, 526, &c.AtomicWriteNormal)
	wire.U16(w, 528, &c.AtomicWritePowerFail)
	wire.U8(w, 530, &c.VendorIOCommands)
	wire.U8(w, 531, &c.NamespaceWriteProtection)
	wire.U16(w, 532, &c.AtomicCompareWrite)
	wire.U16(w, 534, &c.CopyFormats)
	wire.U32(w, 536, &c.SGLSupport)
	wire.U32(w, 540, &c.MaxAllowedNamespaces)
	wire.U128(w, 544, &c.MaxDomainAttachments)
	wire.U32(w, 560, &c.MaxControllerAttachments)
	w.Reserved(564, 204)
}

// MaxTransfer returns the most bytes that one command may carry, counted in
// pages of pageSize bytes, which is the controller's CAP.MPSMIN; almost every
// one has 4096. Zero is no limit.
func (c *IdentifyController) MaxTransfer(pageSize uint64) uint64 {
	if c.MaxDataTransferSize == 0 || c.MaxDataTransferSize >= 48 {
		return 0
	}
	return pageSize << c.MaxDataTransferSize
}

// RetryDelay returns how long to wait before a command is sent again that was
// answered with s, by its CRD. Zero is no delay.
func (c *IdentifyController) RetryDelay(s Status) time.Duration {
	crd := s.CRD()
	if crd == 0 || s.DNR() {
		return 0
	}
	return time.Duration(c.CommandRetryDelay[crd-1]) * 100 * time.Millisecond
}

// FirmwareUpdateGranularity returns of what size and alignment, in bytes, the
// parts of a firmware image shall be (FWUG). Where the drive gives none, or no
// restriction, it is 0.
func (c *IdentifyController) FirmwareUpdateGranularity() int64 {
	if c.FirmwareGranularity == 0xff {
		return 0
	}
	return int64(c.FirmwareGranularity) * 4096
}

// Version is the version of the specification that a controller follows.
type Version uint32

// Versions.
const (
	Version1_2 Version = 0x00010200
	Version1_3 Version = 0x00010300
	Version1_4 Version = 0x00010400
	Version2_0 Version = 0x00020000
)

// String returns a form such as "1.4" or "1.2.1".
func (v Version) String() string {
	if tertiary := uint8(v); tertiary != 0 {
		return fmt.Sprintf("%d.%d.%d", v>>16, uint8(v>>8), tertiary)
	}
	return fmt.Sprintf("%d.%d", v>>16, uint8(v>>8))
}

// ControllerType tells controllers apart.
type ControllerType uint8

// Controller types. Zero is a controller older than NVMe 1.4.
const (
	IOController             ControllerType = 1
	DiscoveryController      ControllerType = 2
	AdministrativeController ControllerType = 3
)

// PowerState is a power state descriptor: NVMe Base 2.0, 5.17.2.1 "Power State
// Descriptor Data Structure".
type PowerState struct {
	MaxPower                uint16          `json:"max_power"`    // MP: see Power
	Flags                   PowerStateFlags `json:"flags"`        // MXPS and NOPS
	EntryLatency            uint32          `json:"entry_lat"`    // ENLAT: microseconds
	ExitLatency             uint32          `json:"exit_lat"`     // EXLAT: microseconds
	RelativeReadThroughput  uint8           `json:"read_tput"`    // RRT: lower is better
	RelativeReadLatency     uint8           `json:"read_lat"`     // RRL: lower is better
	RelativeWriteThroughput uint8           `json:"write_tput"`   // RWT: lower is better
	RelativeWriteLatency    uint8           `json:"write_lat"`    // RWL: lower is better
	IdlePower               uint16          `json:"idle_power"`   // IDLP: see IdleMicrowatts
	IdlePowerScale          uint8           `json:"-"`            // IPS, bits 7:6: 1 is 100 uW, 2 is 10 mW
	ActivePower             uint16          `json:"active_power"` // ACTP: see ActiveMicrowatts
	ActivePowerScale        uint8           `json:"-"`            // APS, bits 7:6; APW, the workload, bits 2:0
}

// PowerStateFlags are bits of a [PowerState].
type PowerStateFlags uint8

// Bits of PowerStateFlags.
const (
	MaxPowerScale  PowerStateFlags = 1 << iota // MXPS: MaxPower counts 0.1 mW rather than 10 mW
	NonOperational                             // NOPS: no I/O in this state
)

func (*PowerState) size() int { return 32 }

func (p *PowerState) walk(w *wire.Walker) {
	wire.U16(w, 0, &p.MaxPower)
	w.Reserved(2, 1)
	wire.U8(w, 3, &p.Flags)
	wire.U32(w, 4, &p.EntryLatency)
	wire.U32(w, 8, &p.ExitLatency)
	wire.U8(w, 12, &p.RelativeReadThroughput)
	wire.U8(w, 13, &p.RelativeReadLatency)
	wire.U8(w, 14, &p.RelativeWriteThroughput)
	wire.U8(w, 15, &p.RelativeWriteLatency)
	wire.U16(w, 16, &p.IdlePower)
	wire.U8(w, 18, &p.IdlePowerScale)
	w.Reserved(19, 1)
	wire.U16(w, 20, &p.ActivePower)
	wire.U8(w, 22, &p.ActivePowerScale)
	w.Reserved(23, 9)
}

// MaxMicrowatts returns the state's maximum power; 0 is not reported.
func (p *PowerState) MaxMicrowatts() uint64 {
	if p.Flags&MaxPowerScale != 0 {
		return uint64(p.MaxPower) * 100
	}
	return uint64(p.MaxPower) * 10_000
}

// IdleMicrowatts returns the power when idle; 0 is not reported.
func (p *PowerState) IdleMicrowatts() uint64 { return scaledPower(p.IdlePower, p.IdlePowerScale) }

// ActiveMicrowatts returns the largest average power under the workload; 0 is
// not reported.
func (p *PowerState) ActiveMicrowatts() uint64 {
	return scaledPower(p.ActivePower, p.ActivePowerScale)
}

// Workload returns for which workload ActiveMicrowatts holds; 0 is none.
func (p *PowerState) Workload() uint8 { return p.ActivePowerScale & 7 }

func scaledPower(power uint16, scale uint8) uint64 {
	switch scale >> 6 {
	case 1:
		return uint64(power) * 100
	case 2:
		return uint64(power) * 10_000
	}
	return 0
}

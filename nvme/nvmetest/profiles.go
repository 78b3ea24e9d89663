package nvmetest

import (
	"time"

	"github.com/drivebay/drivebay/nvme"
)

// SerialNumber is that of every profile.
const SerialNumber = "DRIVEBAY0001"

// base is what all profiles share.
func base(name string, version nvme.Version) Profile {
	return Profile{
		Name: name,
		Controller: nvme.IdentifyController{
			PCIVendorID: 0x1b36, PCISubsystemVendorID: 0x1af4, SerialNumber: SerialNumber, ModelNumber: "Drivebay " + name,
			OUI: 0x525400, Version: version, AsyncEventLimit: 3, AbortLimit: 3, ErrorLogEntries: 63,
			SQEntrySize: 0x66, CQEntrySize: 0x44, NamespaceCount: 1, MaxDataTransferSize: 5,
			WarningTemperature: 273 + 70, CriticalTemperature: 273 + 80,
			SubsystemNQN: "nqn.2014-08.org.nvmexpress:uuid:00000000-0000-4000-8000-" + SerialNumber,
		},
	}
}

// Consumer is a plain client drive of 512 GB: NVMe 1.4, one controller, one
// namespace, three firmware slots that can be activated without a reset,
// sanitize by block and crypto erase, self-tests.
func Consumer() Profile {
	p := base("Consumer", nvme.Version1_4)
	id := &p.Controller
	id.Type, id.MaxDataTransferSize = nvme.IOController, 7
	id.AdminCommands = nvme.SupportsSecurity | nvme.SupportsFormat | nvme.SupportsFirmware | nvme.SupportsSelfTest
	id.NVMCommands = nvme.SupportsCompare | nvme.SupportsWriteUncorrectable | nvme.SupportsDatasetManagement |
		nvme.SupportsWriteZeroes | nvme.SupportsFeatureSave | nvme.SupportsTimestamp
	id.LogPages = nvme.SupportsEffectsLog | nvme.SupportsExtendedData | nvme.SupportsTelemetry
	id.FirmwareUpdates, id.FirmwareGranularity, id.MaxActivationTime = 3<<1|1<<4, 1, 50
	id.FormatAttributes = nvme.CryptoErase
	id.Sanitize = nvme.SupportsBlockErase | nvme.SupportsCryptoErase
	id.ExtendedSelfTestTime, id.SelfTestOptions = 20, 1
	id.VolatileWriteCache = 7
	id.PowerStateCount, id.AutonomousPowerStates = 4, 1
	id.ThermalManagement, id.MinThermalTemperature, id.MaxThermalTemperature = 1, 273+0, 273+83
	id.TotalCapacity = nvme.Uint128{Lo: 512_110_190_592}
	for i, power := range []uint16{800, 460, 380} { // units of 10 mW
		id.PowerStates[i].MaxPower = power
	}
	for i, power := range []uint16{450, 50} { // units of 0.1 mW
		id.PowerStates[3+i] = nvme.PowerState{MaxPower: power, Flags: nvme.MaxPowerScale | nvme.NonOperational,
			EntryLatency: 2000, ExitLatency: 12000}
	}
	p.Formats = []nvme.LBAFormat{{DataSize: 9, RelativePerformance: 2}, {DataSize: 12, RelativePerformance: 1}}
	p.FormatProgress = true
	p.Namespaces = []NamespaceConfig{{Blocks: 1_000_215_216}}
	p.LogPages = []nvme.LogPageID{nvme.LogChangedNamespaces, nvme.LogCommandEffects, nvme.LogSelfTest,
		nvme.LogTelemetryHost, nvme.LogTelemetryController, nvme.LogSanitize}
	p.Features = []nvme.FeatureID{nvme.FeatureVolatileWriteCache, nvme.FeatureAutonomousPowerStates, nvme.FeatureTimestamp,
		nvme.FeatureThermalManagement, nvme.FeatureNonOperationalPower, nvme.FeatureHostBehavior, nvme.FeatureSanitizeConfig}
	p.Firmware = FirmwareConfig{Slots: []string{"1.0.0"}, ActivationTime: 2 * time.Second}
	p.FormatTime, p.BlockEraseTime, p.CryptoEraseTime = 20*time.Second, 3*time.Minute, 10*time.Second
	p.ShortSelfTestTime, p.ReadyTime = 2*time.Minute, 500*time.Millisecond
	return p
}

// Enterprise is a dual-port drive of 1.6 TB that has everything: NVMe 2.0, two
// controllers, namespace management, metadata and protection information,
// reservations, write protection, four firmware slots of which the first is
// read-only, every sanitize action, all log pages.
func Enterprise() Profile {
	p := base("Enterprise", nvme.Version2_0)
	id := &p.Controller
	id.Type, id.MultiPath, id.NamespaceCount, id.MaxAllowedNamespaces = nvme.IOController, 2, 32, 32
	id.AsyncEventLimit, id.AsyncEvents = 7, 1<<8|1<<9
	id.Attributes = nvme.HostID128 | nvme.NVMSets | nvme.EnduranceGroups | nvme.NamespaceGranularity |
		nvme.UUIDListSupport | nvme.ExtendedLBAFormats
	id.AdminCommands = nvme.SupportsSecurity | nvme.SupportsFormat | nvme.SupportsFirmware | nvme.SupportsNamespaceManagement |
		nvme.SupportsSelfTest | nvme.SupportsDirectives | nvme.SupportsGetLBAStatus
	id.NVMCommands = nvme.SupportsCompare | nvme.SupportsWriteUncorrectable | nvme.SupportsDatasetManagement |
		nvme.SupportsWriteZeroes | nvme.SupportsFeatureSave | nvme.SupportsReservations | nvme.SupportsTimestamp |
		nvme.SupportsVerify | nvme.SupportsCopy
	id.LogPages = nvme.SupportsEffectsLog | nvme.SupportsExtendedData | nvme.SupportsTelemetry |
		nvme.SupportsPersistentLog | nvme.SupportsLogDiscovery
	id.FirmwareUpdates, id.FirmwareGranularity, id.MaxActivationTime = 1|4<<1|1<<4|1<<5, 1, 100
	id.FormatAttributes, id.Sanitize = nvme.CryptoErase, nvme.SupportsBlockErase|nvme.SupportsOverwrite|nvme.SupportsCryptoErase
	id.ExtendedSelfTestTime, id.SelfTestOptions = 60, 1
	id.VolatileWriteCache, id.NamespaceWriteProtection = 7, 7
	id.KeepAliveGranularity, id.CommandRetryDelay = 10, [3]uint16{1, 5, 10}
	id.CopyFormats, id.EnduranceGroupMax, id.NVMSetMax = 1, 1, 1
	id.PersistentEventLogSize = 16
	id.TotalCapacity = nvme.Uint128{Lo: 1_600_321_314_816}
	id.PowerStates[0].MaxPower = 2500
	p.Controllers, p.SubsystemReset = 2, true
	p.NVM = nvme.NVMController{VerifyLimit: 9, WriteZeroesLimit: 9, WriteUncorrectableLimit: 9, DatasetRanges: 255}
	for _, size := range []uint8{9, 12} {
		for _, meta := range []uint16{0, 8, 16, 64, 128} {
			p.Formats = append(p.Formats, nvme.LBAFormat{DataSize: size, MetadataSize: meta})
		}
	}
	p.MetadataCapabilities, p.ProtectionCapabilities = 3, 0x1f
	p.NamespaceFeatures, p.FormatProgress = nvme.DeallocatedError, true
	p.Namespaces = []NamespaceConfig{{Blocks: 1 << 20}, {Blocks: 1 << 20, Format: 5}}
	p.LogPages = []nvme.LogPageID{nvme.LogSupportedPages, nvme.LogChangedNamespaces, nvme.LogCommandEffects,
		nvme.LogSelfTest, nvme.LogTelemetryHost, nvme.LogTelemetryController, nvme.LogEnduranceGroup,
		nvme.LogPersistentEvents, nvme.LogFeatureEffects, nvme.LogReservations, nvme.LogSanitize}
	p.Features = []nvme.FeatureID{nvme.FeatureVolatileWriteCache, nvme.FeatureTimestamp, nvme.FeatureKeepAlive,
		nvme.FeatureHostBehavior, nvme.FeatureSanitizeConfig, nvme.FeatureHostID, nvme.FeatureReservationMask,
		nvme.FeatureReservationPersist, nvme.FeatureWriteProtect, nvme.FeatureEnduranceEvents}
	p.Firmware = FirmwareConfig{Slots: []string{"GOLDEN", "2.0.0"}, Active: 2, ActivationTime: 4 * time.Second}
	p.FormatTime, p.BlockEraseTime, p.CryptoEraseTime = 2*time.Minute, 10*time.Minute, 30*time.Second
	p.OverwriteTime, p.ShortSelfTestTime, p.ReadyTime = time.Hour, 2*time.Minute, time.Second
	return p
}

// Old12 is a drive that follows NVMe 1.2 and has little of it: one firmware slot
// that only a reset activates, log pages without offsets, a format that takes all
// namespaces; no sanitize, no self-test, no identification descriptors.
func Old12() Profile {
	p := base("Old12", nvme.Version1_2)
	id := &p.Controller
	id.SubsystemNQN, id.ErrorLogEntries = "", 3
	id.AdminCommands = nvme.SupportsFormat | nvme.SupportsFirmware
	id.NVMCommands = nvme.SupportsCompare | nvme.SupportsWriteUncorrectable | nvme.SupportsDatasetManagement
	id.FirmwareUpdates = 1 << 1
	id.FormatAttributes = nvme.FormatAllNamespaces | nvme.EraseAllNamespaces
	id.VolatileWriteCache = 1
	id.TotalCapacity = nvme.Uint128{}
	id.PowerStates[0].MaxPower = 1200
	p.Formats = []nvme.LBAFormat{{DataSize: 9}}
	p.Namespaces = []NamespaceConfig{{Blocks: 250_069_680}}
	p.Features = []nvme.FeatureID{nvme.FeatureVolatileWriteCache}
	p.Firmware = FirmwareConfig{Slots: []string{"0.9"}, ShortLast: true}
	p.FormatTime, p.ReadyTime = 90*time.Second, 2*time.Second
	return p
}

// QEMU is what QEMU 7.2 emulates, with its gaps: it claims namespace management
// and refuses to create or delete, answers Invalid Field for a log page that it
// does not have, and has no entries in its error log.
func QEMU() Profile {
	p := base("QEMU NVMe Ctrl", nvme.Version1_4)
	id := &p.Controller
	id.ModelNumber = "QEMU NVMe Ctrl"
	id.Type, id.NamespaceCount, id.MaxDataTransferSize = nvme.IOController, 256, 7
	id.AdminCommands = nvme.SupportsFormat | nvme.SupportsNamespaceManagement | nvme.SupportsDoorbellBufferConfig
	id.NVMCommands = nvme.SupportsCompare | nvme.SupportsDatasetManagement | nvme.SupportsWriteZeroes |
		nvme.SupportsFeatureSave | nvme.SupportsTimestamp | nvme.SupportsVerify | nvme.SupportsCopy
	id.LogPages = nvme.SMARTPerNamespace | nvme.SupportsEffectsLog | nvme.SupportsExtendedData
	id.FirmwareUpdates, id.ErrorLogEntries = 1<<1, 0
	id.VolatileWriteCache, id.CopyFormats = 7, 1
	id.PowerStates[0] = nvme.PowerState{MaxPower: 2500, EntryLatency: 16, ExitLatency: 4}
	for _, size := range []uint8{9, 12} {
		for _, meta := range []uint16{0, 8, 16, 64} {
			p.Formats = append(p.Formats, nvme.LBAFormat{DataSize: size, MetadataSize: meta})
		}
	}
	p.MetadataCapabilities, p.ProtectionCapabilities = 3, 0x1f
	p.NamespaceFeatures = nvme.DeallocatedError
	p.Namespaces = []NamespaceConfig{{Blocks: 1 << 17}}
	p.LogPages = []nvme.LogPageID{nvme.LogChangedNamespaces, nvme.LogCommandEffects}
	p.Features = []nvme.FeatureID{nvme.FeatureVolatileWriteCache, nvme.FeatureTimestamp, nvme.FeatureHostBehavior}
	p.Firmware = FirmwareConfig{Slots: []string{"1.0"}}
	p.Quirks = Quirks{Refused: []nvme.Opcode{nvme.AdminNamespaceManagement}, LogIsInvalidField: true, NoErrorLog: true}
	return p
}

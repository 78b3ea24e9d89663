package nvme

import "github.com/drivebay/drivebay/nvme/internal/wire"

// CommandEffectsLog is the Commands Supported and Effects log (05h): NVMe Base
// 2.0, 5.16.1.6. Opcodes are the indices.
type CommandEffectsLog struct {
	Admin [256]Effects // ACS
	IO    [256]Effects // IOCS, of the command set asked for
}

func (*CommandEffectsLog) size() int { return 4096 }

func (l *CommandEffectsLog) walk(w *wire.Walker) {
	for i := range l.Admin {
		wire.U32(w, 4*i, &l.Admin[i])
	}
	for i := range l.IO {
		wire.U32(w, 1024+4*i, &l.IO[i])
	}
	w.Reserved(2048, 2048)
}

// FeatureEffectsLog is the Feature Identifiers Supported and Effects log (12h):
// NVMe Base 2.0, 5.16.1.18. Feature identifiers are the indices.
type FeatureEffectsLog [256]Effects

func (*FeatureEffectsLog) size() int { return 1024 }

func (l *FeatureEffectsLog) walk(w *wire.Walker) {
	for i := range l {
		wire.U32(w, 4*i, &l[i])
	}
}

// Effects say whether a command or a feature is supported, and what it changes.
type Effects uint32

// Bits of Effects. The upper twelve are the scope.
const (
	EffectSupported      Effects = 1 << 0  // CSUPP, FSUPP
	EffectContent        Effects = 1 << 1  // LBCC, UDCC: changes the content of logical blocks
	EffectNamespace      Effects = 1 << 2  // NCC: changes a namespace's capabilities
	EffectInventory      Effects = 1 << 3  // NIC: changes which namespaces there are
	EffectController     Effects = 1 << 4  // CCC: changes the controller's capabilities
	EffectUUID           Effects = 1 << 19 // takes a UUID index
	effectExclusiveMask  Effects = 7 << 16
	effectExclusiveShift         = 16
	effectScopeShift             = 20
)

// String names the bits.
func (e Effects) String() string {
	return flagText(uint64(e), "supported", "content", "namespace", "inventory", "controller",
		"", "", "", "", "", "", "", "", "", "", "", "exclusive-namespace", "exclusive", "", "uuid",
		"scope-namespace", "scope-controller", "scope-nvm-set", "scope-endurance-group", "scope-domain", "scope-subsystem")
}

// Exclusive returns CSE of a command: 0 no restriction, 1 no other command to
// the same namespace at the time, 2 to any namespace.
func (e Effects) Exclusive() int { return int(e & effectExclusiveMask >> effectExclusiveShift) }

// Scope returns CSP or FSP: bits for namespace, controller, NVM set, endurance
// group, domain, NVM subsystem. 0 is not reported.
func (e Effects) Scope() uint16 { return uint16(e >> effectScopeShift) }

// SupportedLogPages is the Supported Log Pages log (00h): NVMe Base 2.0,
// 5.16.1.1. Log page identifiers are the indices.
type SupportedLogPages [256]LogPageSupport

func (*SupportedLogPages) size() int { return 1024 }

func (l *SupportedLogPages) walk(w *wire.Walker) {
	for i := range l {
		wire.U32(w, 4*i, &l[i])
	}
}

// LogPageSupport is a LID Supported and Effects data structure. Bits 31:16
// depend on the log page.
type LogPageSupport uint32

// Supported reports whether the controller has the log page (LSUPP).
func (s LogPageSupport) Supported() bool { return s&1 != 0 }

// IndexOffset reports whether an offset may be an index (IOS).
func (s LogPageSupport) IndexOffset() bool { return s&2 != 0 }

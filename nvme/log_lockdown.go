package nvme

import (
	"context"
	"fmt"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// LockdownScope is what a list of lockdowns consists of.
type LockdownScope uint8

// Scopes of lockdown: NVMe Base 2.0, 5.19 (SCP).
const (
	LockdownAdminCommands LockdownScope = 0 // opcodes of admin commands
	LockdownFeatures      LockdownScope = 2 // feature identifiers of Set Features
	LockdownMICommands    LockdownScope = 3 // opcodes of the management interface
	LockdownPCIeCommands  LockdownScope = 4 // opcodes of its PCIe commands
)

// LockdownContents says which members of the scope a list has.
type LockdownContents uint8

// Contents of lists of lockdowns.
const (
	LockdownSupported         LockdownContents = 0 // those that can be prohibited
	LockdownProhibited        LockdownContents = 1 // those that are, by the admin queue
	LockdownProhibitedOutside LockdownContents = 2 // those that are, out of band
)

// LockdownLog is the Command and Feature Lockdown log (14h): NVMe Base 2.0, 5.16.1.20.
type LockdownLog struct {
	Attributes  uint8   // CFILA: see Scope, Contents
	Identifiers []uint8 // LNGTH and CFIL: opcodes or feature identifiers, at most 255
}

// Scope returns what the list consists of.
func (l *LockdownLog) Scope() LockdownScope { return LockdownScope(l.Attributes & 0xf) }

// Contents returns which members of the scope the list has.
func (l *LockdownLog) Contents() LockdownContents { return LockdownContents(l.Attributes >> 4 & 3) }

func (*LockdownLog) size() int { return 512 }

func (l *LockdownLog) walk(w *wire.Walker) {
	wire.U8(w, 0, &l.Attributes)
	w.Reserved(1, 2)
	raw := w.Area(3, 256, &l.Identifiers)
	w.Reserved(259, 253)
	switch {
	case w.Decoding():
		l.Identifiers = append([]uint8(nil), raw[1:][:raw[0]]...)
	case w.Encoding():
		if len(l.Identifiers) > 255 {
			w.Failf("%d identifiers, want at most 255", len(l.Identifiers))
			return
		}
		raw[0] = uint8(len(l.Identifiers))
		copy(raw[1:], l.Identifiers)
	}
}

// Lockdown returns which commands or features can be, or are, prohibited.
func (c *Controller) Lockdown(ctx context.Context, scope LockdownScope, contents LockdownContents) (*LockdownLog, error) {
	if scope > 0xf {
		return nil, &ArgumentError{"lockdown log", "scope", scope, "one of the constants"}
	}
	if contents > LockdownProhibitedOutside {
		return nil, &ArgumentError{"lockdown log", "contents", contents, "one of the constants"}
	}
	l, err := log[LockdownLog](ctx, c, LogPageRequest{ID: LogLockdown, Parameter: uint8(scope) | uint8(contents)<<4})
	if err != nil {
		return nil, err
	}
	if l.Scope() != scope || l.Contents() != contents {
		return nil, &DecodeError{"LockdownLog", fmt.Sprintf("a list of scope %d and contents %d, asked for %d and %d", l.Scope(), l.Contents(), scope, contents)}
	}
	return l, nil
}

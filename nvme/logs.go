package nvme

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// LogPageRequest are the parameters of Get Log Page, but for its length: NVMe
// Base 2.0, 5.16.
type LogPageRequest struct {
	ID          LogPageID
	NSID        uint32     // 0 is BroadcastNSID, the controller's own
	Parameter   uint8      // LSP: log specific, at most 127
	SpecificID  uint16     // LSI: an endurance group, a domain and so on
	CommandSet  CommandSet // CSI
	UUIDIndex   uint8      // 0 is none, at most 127
	RetainEvent bool       // RAE: keep the asynchronous event that announced the log
	Offset      uint64     // LPO: bytes, a multiple of 4; or an index if OffsetIndex
	OffsetIndex bool       // OT: Offset counts entries of the log, whose reading is then not split
}

// A log page is read in parts of at most logChunk bytes: enough to make the
// number of commands not matter, and within what the kernel and its drivers
// take everywhere. Drives always take a page.
const logChunk = 128 << 10

// LogPage reads a log page, or a part of it, into data, whose length is whole
// dwords. It sends as many commands as MDTS makes necessary; RAE is then set in
// all but the last, so that the log does not change half way. More than 4096
// bytes, and an offset, need a drive that supports extended data.
func (c *Controller) LogPage(ctx context.Context, r LogPageRequest, data []byte) error {
	if err := r.check(data); err != nil {
		return err
	}
	chunk := len(data)
	if len(data) > assumedPageSize || r.Offset != 0 {
		l, err := c.knownLimits(ctx)
		if err != nil {
			return err
		}
		if !l.extendedData {
			return fmt.Errorf("nvme: get log page %02Xh: offset %d, %d bytes: the drive has no extended data: %w",
				uint8(r.ID), r.Offset, len(data), errors.ErrUnsupported)
		}
		if chunk = logChunk; l.transfer > 0 {
			chunk = int(min(uint64(chunk), l.transfer))
		}
		if r.OffsetIndex && len(data) > chunk {
			return &ArgumentError{"get log page", "length of data", len(data), fmt.Sprintf("at most %d bytes from an index", chunk)}
		}
	}
	for len(data) > 0 {
		part := data[:min(chunk, len(data))]
		data = data[len(part):]
		if _, err := c.Do(ctx, r.command(part, len(data) > 0)); err != nil {
			return err
		}
		r.Offset += uint64(len(part))
	}
	return nil
}

func (r *LogPageRequest) check(data []byte) error {
	const op = "get log page"
	if err := checkDwords(op, data); err != nil {
		return err
	}
	switch {
	case r.Parameter > 0x7f:
		return &ArgumentError{op, "Parameter", r.Parameter, "at most 127 (LSP has 7 bits)"}
	case r.UUIDIndex > 0x7f:
		return &ArgumentError{op, "UUIDIndex", r.UUIDIndex, "at most 127"}
	case !r.OffsetIndex && r.Offset%4 != 0:
		return &ArgumentError{op, "Offset", r.Offset, "a multiple of 4"}
	case r.Offset > math.MaxUint64-uint64(len(data)):
		return &ArgumentError{op, "Offset", r.Offset, "less"}
	}
	return nil
}

func (r *LogPageRequest) command(data []byte, retain bool) Command {
	nsid := r.NSID
	if nsid == 0 {
		nsid = BroadcastNSID
	}
	dwords := uint32(len(data)/4 - 1) // NUMD is 0's based
	return Command{
		Opcode: AdminGetLogPage,
		NSID:   nsid,
		CDW10:  uint32(r.ID) | uint32(r.Parameter)<<8 | bit(r.RetainEvent || retain, 15) | dwords<<16,
		CDW11:  dwords>>16 | uint32(r.SpecificID)<<16,
		CDW12:  lo(r.Offset),
		CDW13:  hi(r.Offset),
		CDW14:  uint32(r.UUIDIndex) | bit(r.OffsetIndex, 23) | uint32(r.CommandSet)<<24,
		Data:   data,
	}
}

// log reads and decodes a log page that is one structure.
func log[T any, P interface {
	*T
	Structure
}](ctx context.Context, c *Controller, r LogPageRequest) (*T, error) {
	s := P(new(T))
	page := make([]byte, s.size())
	if err := c.LogPage(ctx, r, page); err != nil {
		return nil, err
	}
	if err := Decode(page, s); err != nil {
		return nil, err
	}
	return s, nil
}

// SMARTLog returns the SMART / Health Information of the controller. It clears
// the event that a warning has raised.
func (c *Controller) SMARTLog(ctx context.Context) (*SMARTLog, error) {
	return log[SMARTLog](ctx, c, LogPageRequest{ID: LogSMART})
}

// ErrorLog returns the newest entries of the error log, at most as many as
// asked for and as there are. Identify's ErrorLogEntries says how many there
// may be, less one.
func (c *Controller) ErrorLog(ctx context.Context, most int) ([]ErrorLogEntry, error) {
	if most < 1 || most > 256 {
		return nil, &ArgumentError{"error log", "number of entries", most, "1 to 256"}
	}
	page := make([]byte, 64*most)
	if err := c.LogPage(ctx, LogPageRequest{ID: LogErrors}, page); err != nil {
		return nil, err
	}
	var entries []ErrorLogEntry
	for ; len(page) > 0; page = page[64:] {
		var e ErrorLogEntry
		if err := Decode(page, &e); err != nil {
			return nil, err
		}
		if e.ErrorCount != 0 {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// FirmwareSlotLog returns what firmware is in which slot, and which one runs.
// It is read from the drive: sysfs may be out of date.
func (c *Controller) FirmwareSlotLog(ctx context.Context) (*FirmwareSlotLog, error) {
	return log[FirmwareSlotLog](ctx, c, LogPageRequest{ID: LogFirmwareSlots})
}

// ChangedNamespaces returns the NSIDs of the namespaces that have changed since
// the log was last read, and clears it. All is set, and the list empty, if more
// than 1024 have.
func (c *Controller) ChangedNamespaces(ctx context.Context) (list NamespaceList, all bool, err error) {
	list, err = deref(log[NamespaceList](ctx, c, LogPageRequest{ID: LogChangedNamespaces}))
	if len(list) > 0 && list[0] == BroadcastNSID {
		return nil, true, err
	}
	return list, false, err
}

// CommandEffects returns which admin commands, and which of the command set's,
// the controller supports, and what they change.
func (c *Controller) CommandEffects(ctx context.Context, set CommandSet) (*CommandEffectsLog, error) {
	return log[CommandEffectsLog](ctx, c, LogPageRequest{ID: LogCommandEffects, CommandSet: set})
}

// SelfTestLog returns the progress and the results of device self-tests.
func (c *Controller) SelfTestLog(ctx context.Context) (*SelfTestLog, error) {
	return log[SelfTestLog](ctx, c, LogPageRequest{ID: LogSelfTest})
}

// SanitizeLog returns the progress and the outcome of the last sanitize. It
// clears the event that its end has raised.
func (c *Controller) SanitizeLog(ctx context.Context) (*SanitizeLog, error) {
	return log[SanitizeLog](ctx, c, LogPageRequest{ID: LogSanitize})
}

// EnduranceGroupLog returns the health of an endurance group.
func (c *Controller) EnduranceGroupLog(ctx context.Context, group uint16) (*EnduranceGroupLog, error) {
	return log[EnduranceGroupLog](ctx, c, LogPageRequest{ID: LogEnduranceGroup, SpecificID: group})
}

// SupportedLogPages returns which log pages the controller has.
func (c *Controller) SupportedLogPages(ctx context.Context) (*SupportedLogPages, error) {
	return log[SupportedLogPages](ctx, c, LogPageRequest{ID: LogSupportedPages})
}

// FeatureEffects returns which features the controller supports, and what they
// change.
func (c *Controller) FeatureEffects(ctx context.Context) (*FeatureEffectsLog, error) {
	return log[FeatureEffectsLog](ctx, c, LogPageRequest{ID: LogFeatureEffects})
}

// ReservationNotification returns the oldest reservation notification, and
// takes it off the log.
func (c *Controller) ReservationNotification(ctx context.Context) (*ReservationNotification, error) {
	return log[ReservationNotification](ctx, c, LogPageRequest{ID: LogReservations})
}

// ANALog returns the access state of each ANA group, with its namespaces. The
// size of the log follows from Identify, which makes for two commands.
func (c *Controller) ANALog(ctx context.Context) (*ANALog, error) {
	id, err := c.Identify(ctx)
	if err != nil {
		return nil, err
	}
	namespaces := id.NamespaceCount
	if id.MaxAllowedNamespaces != 0 {
		namespaces = id.MaxAllowedNamespaces
	}
	if id.ANAGroupCount == 0 || id.ANAGroupCount > 1<<16 || namespaces > 1<<20 {
		return nil, fmt.Errorf("nvme: ANA log of %d groups and %d namespaces: %w", id.ANAGroupCount, namespaces, errors.ErrUnsupported)
	}
	page := make([]byte, 16+32*int(id.ANAGroupCount)+4*int(namespaces))
	if err := c.LogPage(ctx, LogPageRequest{ID: LogANA}, page); err != nil {
		return nil, err
	}
	return DecodeANALog(page)
}

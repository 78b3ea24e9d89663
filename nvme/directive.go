package nvme

import (
	"context"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// DirectiveType is a type of directive.
type DirectiveType uint8

// Directive types.
const (
	IdentifyDirective DirectiveType = 0
	StreamsDirective  DirectiveType = 1
)

// DirectiveRequest are the parameters of Directive Send and Directive Receive:
// NVMe Base 2.0, 5.10 and 5.11.
type DirectiveRequest struct {
	NSID      uint32
	Type      DirectiveType // DTYPE
	Operation uint8         // DOPER: as the type defines it
	Specific  uint16        // DSPEC: as the type defines it
	CDW12     uint32        // as the operation defines it
}

// Directive operations: NVMe Base 2.0, 8.7.
const (
	directiveParameters = 0x01 // receive, of both types
	directiveEnable     = 0x01 // send, identify
	streamsStatus       = 0x02 // receive
	streamsAllocate     = 0x03 // receive
	streamsReleaseID    = 0x01 // send
	streamsReleaseAll   = 0x02 // send
)

func (r *DirectiveRequest) command(opcode Opcode, data []byte) Command {
	cmd := Command{
		Opcode: opcode, NSID: r.NSID, CDW12: r.CDW12, Data: data,
		CDW11: uint32(r.Operation) | uint32(r.Type)<<8 | uint32(r.Specific)<<16,
	}
	if len(data) > 0 {
		cmd.CDW10 = uint32(len(data)/4 - 1) // NUMD is 0's based
	}
	return cmd
}

// DirectiveSend sends a directive's operation to the drive, with data of whole
// dwords or none.
func (c *Controller) DirectiveSend(ctx context.Context, r DirectiveRequest, data []byte) error {
	if err := c.checkTransfer(ctx, "directive send", len(data)); err != nil {
		return err
	}
	_, err := c.Do(ctx, r.command(AdminDirectiveSend, data))
	return err
}

// DirectiveReceive receives data, whole dwords or none, of a directive's
// operation, and returns DW0 of the completion.
func (c *Controller) DirectiveReceive(ctx context.Context, r DirectiveRequest, data []byte) (uint32, error) {
	if err := c.checkTransfer(ctx, "directive receive", len(data)); err != nil {
		return 0, err
	}
	result, err := c.Do(ctx, r.command(AdminDirectiveReceive, data))
	return uint32(result), err
}

// Directives says which directives a namespace supports, and which of them are
// enabled: NVMe Base 2.0, 8.7.2.1.
type Directives struct {
	SupportedBits [32]byte `json:"-"` // a bit for each type
	EnabledBits   [32]byte `json:"-"` // a bit for each type
}

func (*Directives) size() int { return 4096 }

func (d *Directives) walk(w *wire.Walker) {
	w.Bytes(0, d.SupportedBits[:])
	w.Bytes(32, d.EnabledBits[:])
	w.Reserved(64, 4032)
}

// Supports reports whether the namespace supports directives of type t.
func (d *Directives) Supports(t DirectiveType) bool { return d.SupportedBits[t/8]&(1<<(t%8)) != 0 }

// Enabled reports whether directives of type t are enabled.
func (d *Directives) Enabled(t DirectiveType) bool { return d.EnabledBits[t/8]&(1<<(t%8)) != 0 }

// Directives returns which directives a namespace supports.
func (c *Controller) Directives(ctx context.Context, nsid uint32) (*Directives, error) {
	page := make([]byte, 4096)
	r := DirectiveRequest{NSID: nsid, Type: IdentifyDirective, Operation: directiveParameters}
	if _, err := c.DirectiveReceive(ctx, r, page); err != nil {
		return nil, err
	}
	d := new(Directives)
	return d, Decode(page, d)
}

// EnableDirective enables, or disables, directives of type t for a namespace.
func (c *Controller) EnableDirective(ctx context.Context, nsid uint32, t DirectiveType, enable bool) error {
	return c.DirectiveSend(ctx, DirectiveRequest{
		NSID: nsid, Type: IdentifyDirective, Operation: directiveEnable, CDW12: bit(enable, 0) | uint32(t)<<8,
	}, nil)
}

// StreamParameters are those of the Streams directive: NVMe Base 2.0, 8.7.3.1.
type StreamParameters struct {
	Limit              uint16 `json:"msl"`  // MSL: streams of the NVM subsystem
	Available          uint16 `json:"nssa"` // NSSA: streams not allocated to a namespace
	Open               uint16 `json:"nsso"` // NSSO: open streams without resources of a namespace
	Capabilities       uint8  `json:"nssc"` // NSSC: bit 0, streams of several hosts are shared
	WriteSize          uint32 `json:"sws"`  // SWS: logical blocks
	Granularity        uint16 `json:"sgs"`  // SGS: in units of WriteSize
	NamespaceAllocated uint16 `json:"nsa"`  // NSA: streams allocated to the namespace
	NamespaceOpen      uint16 `json:"nso"`  // NSO: open streams of the namespace
}

func (*StreamParameters) size() int { return 32 }

func (p *StreamParameters) walk(w *wire.Walker) {
	wire.U16(w, 0, &p.Limit)
	wire.U16(w, 2, &p.Available)
	wire.U16(w, 4, &p.Open)
	wire.U8(w, 6, &p.Capabilities)
	w.Reserved(7, 9)
	wire.U32(w, 16, &p.WriteSize)
	wire.U16(w, 20, &p.Granularity)
	wire.U16(w, 22, &p.NamespaceAllocated)
	wire.U16(w, 24, &p.NamespaceOpen)
	w.Reserved(26, 6)
}

// StreamParameters returns the streams of the drive and of a namespace.
func (c *Controller) StreamParameters(ctx context.Context, nsid uint32) (*StreamParameters, error) {
	page := make([]byte, 32)
	r := DirectiveRequest{NSID: nsid, Type: StreamsDirective, Operation: directiveParameters}
	if _, err := c.DirectiveReceive(ctx, r, page); err != nil {
		return nil, err
	}
	p := new(StreamParameters)
	return p, Decode(page, p)
}

// OpenStreams returns the identifiers of a namespace's open streams.
func (c *Controller) OpenStreams(ctx context.Context, nsid uint32) ([]uint16, error) {
	page := make([]byte, 4096)
	r := DirectiveRequest{NSID: nsid, Type: StreamsDirective, Operation: streamsStatus}
	if _, err := c.DirectiveReceive(ctx, r, page); err != nil {
		return nil, err
	}
	var ids ControllerList // the same form: a count, and 16-bit identifiers
	return ids, Decode(page, &ids)
}

// AllocateStreams reserves streams for a namespace, and returns how many the
// drive has granted.
func (c *Controller) AllocateStreams(ctx context.Context, nsid uint32, streams uint16) (uint16, error) {
	r := DirectiveRequest{NSID: nsid, Type: StreamsDirective, Operation: streamsAllocate, CDW12: uint32(streams)}
	result, err := c.DirectiveReceive(ctx, r, nil)
	return uint16(result), err
}

// ReleaseStream closes one stream of a namespace.
func (c *Controller) ReleaseStream(ctx context.Context, nsid uint32, stream uint16) error {
	r := DirectiveRequest{NSID: nsid, Type: StreamsDirective, Operation: streamsReleaseID, Specific: stream}
	return c.DirectiveSend(ctx, r, nil)
}

// ReleaseStreams gives back the streams reserved for a namespace.
func (c *Controller) ReleaseStreams(ctx context.Context, nsid uint32) error {
	r := DirectiveRequest{NSID: nsid, Type: StreamsDirective, Operation: streamsReleaseAll}
	return c.DirectiveSend(ctx, r, nil)
}

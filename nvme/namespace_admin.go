package nvme

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// NamespaceOptions are what a namespace is created with: NVM Command Set 1.0,
// 4.1.6. The fields are those of [IdentifyNamespace].
type NamespaceOptions struct {
	Size             uint64 // NSZE: logical blocks; there is no default
	Capacity         uint64 // NCAP: logical blocks; 0 is Size
	FormattedLBASize uint8  // FLBAS: bits 3:0 and 6:5 index of the LBA format, bit 4 extended LBA
	Protection       uint8  // DPS: bits 2:0 type, bit 3 first bytes
	Shared           bool   // NMIC bit 0: may be attached to several controllers
	ANAGroupID       uint32 // 0 is the controller's choice
	NVMSetID         uint16 // 0 is the controller's choice
	EnduranceGroupID uint16 // 0 is the controller's choice
	StorageTagMask   uint64 // LBSTM

	CommandSet CommandSet // CSI; the fields above are those of the NVM command set
}

func (*NamespaceOptions) size() int { return 4096 }

func (o *NamespaceOptions) walk(w *wire.Walker) {
	wire.U64(w, 0, &o.Size)
	wire.U64(w, 8, &o.Capacity)
	w.Reserved(16, 10)
	wire.U8(w, 26, &o.FormattedLBASize)
	w.Reserved(27, 2)
	wire.U8(w, 29, &o.Protection)
	walkBool(w, 30, &o.Shared)
	w.Reserved(31, 61)
	wire.U32(w, 92, &o.ANAGroupID)
	w.Reserved(96, 4)
	wire.U16(w, 100, &o.NVMSetID)
	wire.U16(w, 102, &o.EnduranceGroupID)
	w.Reserved(104, 280)
	wire.U64(w, 384, &o.StorageTagMask)
	w.Reserved(392, 3704)
}

// namespaceTimeout bounds namespace management where the context does not: to
// create or delete a large one takes long on some drives.
const namespaceTimeout = 10 * time.Minute

// CreateNamespace creates a namespace and returns its NSID: NVMe Base 2.0,
// 5.23. It is attached to no controller; see AttachNamespace.
func (c *Controller) CreateNamespace(ctx context.Context, o NamespaceOptions) (nsid uint32, err error) {
	const op = "create namespace"
	if o.Capacity == 0 {
		o.Capacity = o.Size
	}
	switch {
	case o.Size == 0:
		return 0, &ArgumentError{op, "Size", o.Size, "a number of logical blocks"}
	case o.Capacity > o.Size:
		return 0, &ArgumentError{op, "Capacity", o.Capacity, fmt.Sprintf("at most the Size of %d", o.Size)}
	case o.FormattedLBASize > 0x7f:
		return 0, &ArgumentError{op, "FormattedLBASize", o.FormattedLBASize, "at most 127: bit 7 is reserved"}
	case o.Protection > 0xf:
		return 0, &ArgumentError{op, "Protection", o.Protection, "at most 15: bits 7:4 are reserved"}
	}
	data, err := Encode(&o)
	if err != nil {
		return 0, err
	}
	result, err := c.Do(ctx, Command{
		Opcode: AdminNamespaceManagement, CDW10: 0, CDW11: uint32(o.CommandSet) << 24,
		Data: data, Timeout: namespaceTimeout,
	})
	return uint32(result), err
}

// DeleteNamespace deletes a namespace, which destroys its data; BroadcastNSID
// deletes all of the NVM subsystem. Those that are attached are detached.
func (c *Controller) DeleteNamespace(ctx context.Context, nsid uint32) error {
	if err := checkNSID("delete namespace", nsid, true); err != nil {
		return err
	}
	c.forget()
	_, err := c.Do(ctx, Command{Opcode: AdminNamespaceManagement, NSID: nsid, CDW10: 1, Timeout: namespaceTimeout})
	return err
}

// AttachNamespace attaches a namespace to controllers, given by identifier:
// NVMe Base 2.0, 5.22. Linux sees it after [Controller.Rescan].
func (c *Controller) AttachNamespace(ctx context.Context, nsid uint32, controllers ...uint16) error {
	return c.attachment(ctx, "attach namespace", 0, nsid, controllers)
}

// DetachNamespace detaches a namespace from controllers, given by identifier.
func (c *Controller) DetachNamespace(ctx context.Context, nsid uint32, controllers ...uint16) error {
	return c.attachment(ctx, "detach namespace", 1, nsid, controllers)
}

func (c *Controller) attachment(ctx context.Context, op string, sel, nsid uint32, controllers []uint16) error {
	if err := checkNSID(op, nsid, false); err != nil {
		return err
	}
	list := ControllerList(slices.Sorted(slices.Values(controllers)))
	if n := len(slices.Compact(slices.Clone(list))); n == 0 || n != len(list) || n > 2047 {
		return &ArgumentError{op, "controllers", controllers, "1 to 2047 identifiers, each once"}
	}
	data, err := Encode(&list)
	if err != nil {
		return err
	}
	c.forget()
	_, err = c.Do(ctx, Command{
		Opcode: AdminNamespaceAttachment, NSID: nsid, CDW10: sel, Data: data, Timeout: namespaceTimeout,
	})
	return err
}

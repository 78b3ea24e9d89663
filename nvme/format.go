package nvme

import (
	"context"
	"errors"
	"fmt"
)

// SecureErase is what a format does to the data that was there.
type SecureErase uint8

// Secure erase settings.
const (
	NoErase            SecureErase = 0
	UserDataErase      SecureErase = 1 // all user data, in whatever way
	CryptographicErase SecureErase = 2 // by deleting the key
)

// String names the setting.
func (e SecureErase) String() string {
	switch e {
	case NoErase:
		return "no secure erase"
	case UserDataErase:
		return "user data erase"
	case CryptographicErase:
		return "cryptographic erase"
	}
	return fmt.Sprintf("secure erase %d", uint8(e))
}

// FormatOptions are the parameters of Format NVM: NVMe Base 2.0, 5.14, and NVM
// Command Set 1.0, 4.1.2.
type FormatOptions struct {
	// NSID is the namespace, or BroadcastNSID for all that are attached. There
	// is no default. NB: Some drives format all in any case; see
	// FormatAttributes.
	NSID uint32
	// Format is the index of the LBA format among those that Identify offers: 0
	// to 63.
	Format int
	// ExtendedLBA puts metadata at the end of each block's data, rather than
	// into a buffer of its own (MSET).
	ExtendedLBA bool
	// Protection is the type of protection information, 1 to 3; 0 is none.
	Protection uint8
	// ProtectionFirst puts protection information into the first bytes of
	// metadata, rather than the last (PIL).
	ProtectionFirst bool
	// Erase is what becomes of the data.
	Erase SecureErase
}

// Format formats a namespace, which destroys its data. It returns once the
// drive is done. Without a deadline of the context it waits as long as it can:
// the kernel's default timeout, of a minute, would reset the controller in the
// midst of the format.
//
// The LBA format and the rest are checked against what the namespace and the
// controller offer, by Identify, before the drive is told to format: what it
// does not offer is an [ArgumentError].
func (c *Controller) Format(ctx context.Context, o FormatOptions) error {
	if err := c.CheckFormat(ctx, o); err != nil {
		return err
	}
	c.forget()
	_, err := c.Do(ctx, Command{Opcode: AdminFormatNVM, NSID: o.NSID, CDW10: o.cdw10(), Timeout: NoTimeout})
	// A format that failed half way may have changed the namespace as well.
	c.forget()
	return err
}

// CheckFormat makes the checks of Format, and formats nothing.
func (c *Controller) CheckFormat(ctx context.Context, o FormatOptions) error {
	if err := checkNSID("format NVM", o.NSID, true); err != nil {
		return err
	}
	id, err := c.Identify(ctx)
	if err != nil {
		return err
	}
	if id.AdminCommands&SupportsFormat == 0 {
		return fmt.Errorf("nvme: format NVM: not among the drive's commands (%v): %w", id.AdminCommands, errors.ErrUnsupported)
	}
	if o.NSID == BroadcastNSID && id.FormatAttributes&NoBroadcastFormat != 0 {
		return &ArgumentError{"format NVM", "NSID", "FFFFFFFFh (all)", "one namespace: the drive does not format all at once"}
	}
	if o.Erase == CryptographicErase && id.FormatAttributes&CryptoErase == 0 {
		return &ArgumentError{"format NVM", "Erase", o.Erase, "another: the drive does not offer it"}
	}
	ns, err := c.identifyForFormat(ctx, o.NSID)
	if err != nil {
		return err
	}
	return o.check(ns)
}

// identifyForFormat returns what tells the formats of a namespace. For all of
// them it is what they have in common; a drive without namespace management
// does not say that, and its first one stands for all.
func (c *Controller) identifyForFormat(ctx context.Context, nsid uint32) (*IdentifyNamespace, error) {
	ns, err := c.IdentifyNamespace(ctx, nsid)
	if nsid != BroadcastNSID || err == nil && ns.Formats[0].Offered() {
		return ns, err
	}
	if err != nil && !errors.Is(err, StatusInvalidNamespace) && !errors.Is(err, StatusInvalidField) {
		return nil, err
	}
	active, err := c.ActiveNamespaces(ctx)
	if err != nil {
		return nil, err
	}
	if len(active) == 0 {
		return nil, &ArgumentError{"format NVM", "NSID", "FFFFFFFFh (all)", "a drive with namespaces"}
	}
	return c.IdentifyNamespace(ctx, active[0])
}

// check compares the options with what the namespace offers.
func (o *FormatOptions) check(ns *IdentifyNamespace) error {
	const op = "format NVM"
	offered := ns.OfferedFormats()
	if o.Format < 0 || o.Format >= len(offered) {
		return &ArgumentError{op, "Format", o.Format, fmt.Sprintf("0 to %d", len(offered)-1)}
	}
	format := offered[o.Format]
	switch {
	case !format.Offered():
		return &ArgumentError{op, "Format", o.Format, "another: the drive says that it is not available"}
	case o.Erase > CryptographicErase:
		return &ArgumentError{op, "Erase", o.Erase, "one of the constants"}
	case o.ExtendedLBA && ns.MetadataCapabilities&1 == 0:
		return &ArgumentError{op, "ExtendedLBA", true, "false: the drive has no metadata in extended LBAs"}
	case !o.ExtendedLBA && format.MetadataSize > 0 && ns.MetadataCapabilities&2 == 0:
		return &ArgumentError{op, "ExtendedLBA", false, "true: the drive has no metadata in a buffer of its own"}
	case o.Protection > 3:
		return &ArgumentError{op, "Protection", o.Protection, "0 to 3"}
	case o.Protection > 0 && ns.ProtectionCapabilities&(1<<(o.Protection-1)) == 0:
		return &ArgumentError{op, "Protection", o.Protection, "another type: the drive does not offer it"}
	case o.Protection > 0 && format.MetadataSize < 8:
		return &ArgumentError{op, "Protection", o.Protection, fmt.Sprintf("0, as format %d has %d bytes of metadata", o.Format, format.MetadataSize)}
	case o.Protection > 0 && o.ProtectionFirst && ns.ProtectionCapabilities&(1<<3) == 0:
		return &ArgumentError{op, "ProtectionFirst", true, "false: the drive does not offer it"}
	case o.Protection > 0 && !o.ProtectionFirst && ns.ProtectionCapabilities&(1<<4) == 0:
		return &ArgumentError{op, "ProtectionFirst", false, "true: the drive does not offer the last bytes"}
	}
	return nil
}

// cdw10 encodes what check has passed. The LBA format has four bits, and two
// more (LBAFU) at 13:12.
func (o *FormatOptions) cdw10() uint32 {
	return uint32(o.Format)&0xf | bit(o.ExtendedLBA, 4) | uint32(o.Protection)<<5 | bit(o.ProtectionFirst, 8) |
		uint32(o.Erase)<<9 | uint32(o.Format)>>4<<12
}

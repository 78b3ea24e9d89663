package nvme

import "context"

// SecurityRequest are the parameters of Security Send and Security Receive:
// NVMe Base 2.0, 5.25 and 5.26.
type SecurityRequest struct {
	NSID         uint32 // 0, unless the protocol says otherwise
	Protocol     uint8  // SECP: 0 information, 1 to 6 TCG, EAh NVMe, EFh ATA
	Specific     uint16 // SPSP: as the protocol defines it
	NVMeSpecific uint8  // NSSF: with protocol EAh, the RPMB target
}

func (r *SecurityRequest) command(opcode Opcode, data []byte) Command {
	return Command{
		Opcode: opcode, NSID: r.NSID, CDW11: uint32(len(data)), Data: data,
		CDW10: uint32(r.Protocol)<<24 | uint32(r.Specific)<<8 | uint32(r.NVMeSpecific),
	}
}

// SecuritySend sends data, whole dwords and at most MDTS, to a security
// protocol of the drive. NB: it may lock or revert the drive.
func (c *Controller) SecuritySend(ctx context.Context, r SecurityRequest, data []byte) error {
	return c.security(ctx, "security send", r.command(AdminSecuritySend, data))
}

// SecurityReceive receives data, whole dwords and at most MDTS, from a security
// protocol of the drive. How much of it means something is up to the protocol.
func (c *Controller) SecurityReceive(ctx context.Context, r SecurityRequest, data []byte) error {
	return c.security(ctx, "security receive", r.command(AdminSecurityReceive, data))
}

func (c *Controller) security(ctx context.Context, op string, cmd Command) error {
	if err := checkDwords(op, cmd.Data); err != nil {
		return err
	}
	if err := c.checkTransfer(ctx, op, len(cmd.Data)); err != nil {
		return err
	}
	_, err := c.Do(ctx, cmd)
	return err
}

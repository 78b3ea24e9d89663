package nvme

import (
	"context"
	"time"
)

// SelfTest starts a device self-test, or with AbortSelfTest ends the one in
// progress: NVMe Base 2.0, 5.9. nsid is what is tested besides the controller:
// a namespace, BroadcastNSID for all, or 0 for none. The test goes on by itself;
// [Controller.SelfTestLog] tells how far it is.
func (c *Controller) SelfTest(ctx context.Context, nsid uint32, test SelfTest) error {
	switch test {
	case ShortSelfTest, ExtendedSelfTest, VendorSelfTest, AbortSelfTest:
	default:
		return &ArgumentError{"device self-test", "test", test, "one of the constants"}
	}
	_, err := c.Do(ctx, Command{Opcode: AdminSelfTest, NSID: nsid, CDW10: uint32(test), Timeout: selfTestTimeout})
	return err
}

// selfTestTimeout bounds the command that starts a test, where the context does
// not: some drives answer late, and must not be reset for it.
const selfTestTimeout = 10 * time.Minute

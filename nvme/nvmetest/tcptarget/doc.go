// Package tcptarget puts the emulated drive of package nvmetest behind NVMe over
// TCP, so that the unmodified driver of the Linux kernel makes a /dev/nvme0 of it.
//
// A [Target] is one NVM subsystem on a listening socket, and the discovery
// service that names it. Each controller of the drive serves one host at a time.
// The drive is not the target's: its state outlives connections, resets and
// targets, and what a test does to it (faults, Advance) is seen by the kernel.
//
//	drive, err := nvmetest.New(nvmetest.Consumer())
//	...
//	attached, err := tcptarget.Attach(ctx, drive, tcptarget.Options{})
//	...
//	defer attached.Close()
//	c, err := nvme.Open(ctx, attached.Node()) // /dev/nvme0
//
// [Attach] needs Linux with nvme-tcp, and root. [Listen] is the target alone: any
// system, any host.
//
// Fabrics commands end here, all others in the drive. A target is strict in what
// it takes: a PDU that is not as the specification has it ends the association by
// a C2HTermReq, which tells the host where the mistake was. It never sends more
// data than a command's SGL has room for.
//
// There is no authentication and no TLS: a target listens on loopback unless it
// is told otherwise, and whoever can connect can do anything to the drive.
//
// # Time
//
// The drive's clock is virtual: a format is over at once. With [Options.Speed] it
// follows the wall clock, at that rate, and together with the profile's Stepped
// flag even a format takes its time.
//
// The specifications are NVM Express Base 2.0, NVMe over Fabrics 1.1 for what
// moved there, and the NVMe TCP Transport 1.0.
package tcptarget

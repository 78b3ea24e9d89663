// Package nvme speaks to NVMe drives: it identifies them, reads their health,
// updates their firmware, formats, sanitizes and tests them, and reads and
// writes their blocks, by the commands of the specification, through the Linux
// kernel's passthrough interface or any other [Transport].
//
// It follows NVM Express Base 2.0 (2.0c) and NVM Command Set 1.0. Types and
// fields carry the specification's nouns; the comments give its abbreviations
// and sections. Numbers stay as they are on the wire, with methods that compute
// where that is more than looking: temperatures are in kelvins, many counts are
// 0's based. What goes out of range is refused, not masked.
//
// # Controllers and namespaces
//
// [Open] opens a device node and returns a [Controller]. Its methods are the
// commands: [Controller.Identify], [Controller.SMARTLog],
// [Controller.ReadFeature], [Controller.Format] and the rest, and
// [Controller.Do] for every other. [Controller.Namespace] looks up a
// [Namespace], which reads and writes:
//
//	c, err := nvme.Open(ctx, "/dev/nvme0")
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	health, err := c.SMARTLog(ctx)
//
// Where a namespace has protection information, [Namespace.Protect] makes it as a host
// does, with guards of 16, 32 and 64 bits; ProtectionAction leaves it to the drive.
//
// # Errors
//
// A status that is not success is a [CommandError], and errors.Is finds the
// status in it: errors.Is(err, nvme.StatusInvalidFirmwareImage). A value that
// could not be right is an [ArgumentError], before the drive is touched. The
// whole contract is with the variables in errors.go.
//
// # Time
//
// The kernel cannot be interrupted in a command: the context's deadline becomes
// the command's timeout, and cancelling the context only keeps the next command
// from being sent. When a timeout expires, Linux resets the controller, so a
// deadline is the point at which one would rather have the drive reset than wait
// on. Format, firmware and the like come with timeouts of their own, longer than
// the kernel's minute, where the context has no deadline.
//
// # Transports
//
// A [Transport] carries a [Command] and brings its [Completion]. [Node] is the
// kernel's; package nvmetest has an emulated drive. [NewTracer] shows what passes
// through another transport, [NewDryRun] lets reads pass and refuses what would
// change the drive, [NewRecorder] writes a transcript, and [NewReplayer] answers
// from one.
//
// # Structures
//
// What the drive returns is a [Structure], such as [SMARTLog]: [Decode] reads
// one from bytes, and [Encode] makes the bytes again, which is what an emulated
// drive does. As JSON, structures have the names that nvme-cli gives them.
//
// # Procedures
//
// What takes more than one command is a procedure, with a plan that can be
// printed before it is carried out: [UpdateFirmware], [FormatNamespace],
// [RunSanitize], [RunSelfTest]. They want the drive's serial number, refuse
// namespaces that are mounted or held, tell how far they are, wait for the
// controller after a reset, and look at what came of it. [FollowSanitize] and
// [FollowSelfTest] take up what another program has started. [Discover] lists the
// drives of a Linux machine.
//
// # Destruction
//
// The commands format, sanitize, firmware and namespace do what they say, at once.
// The one thing that is checked is that the drive offers it. Their options name
// the namespace, the action and the rest explicitly; there are no defaults that
// destroy.
package nvme

// BroadcastNSID addresses all namespaces, where a command allows it.
const BroadcastNSID = 0xffffffff

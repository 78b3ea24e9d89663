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
// There is no authentication and no TLS, which are out of scope: a target listens on
// loopback unless it is told otherwise, and whoever can connect can do anything to
// the drive.
//
// # Paths
//
// [Target.Connect] lets the kernel connect once more, to the drive's next controller.
// With a drive made by nvmetest.MultiPath, which has Asymmetric Namespace Access, the
// kernel's multipath has something to choose from: see Controller.SetANA there.
//
// # Trouble
//
// There are two places for it. A nvmetest.Fault is the drive's: statuses, hangs, a
// drive that vanishes, data that is wrong. A [Fault] is the connection's: digests that
// do not match, answers that are late, connections that are lost at a known place.
// What is done to the drive by others than the host reaches it as well: a reset or a
// loss of power ends the association, and while the drive is off nobody can connect.
//
// This is what Linux 6.1 and 6.12 (Debian's) make of it, as the suite in
// integration/guests/fabrics asserts; times are with reconnect_delay at 1 s, which is
// what Attach sets, and the kernel's I/O timeout at 2 s in place of 30.
//
//	trouble                         what the driver does                    what a program sees
//	data digest, once               fails the command, sends it again       nothing
//	data digest, each time          sends it 6 times. NB: fails it with     EOPNOTSUPP, at once
//	                                Invalid Field: a status that is not
//	                                shifted as others are
//	header digest                   error recovery: closes all queues,      nothing, for 1.1 s
//	                                connects again, sends the command again
//	connection lost before the      the same                                nothing, for 1.1 s
//	answer, in it, in the data of
//	a read or a write
//	... under an admin command      the same, but does not send it again    EINTR
//	late by less than the timeout   waits                                   the delay
//	late by more, or a hang         error recovery at the timeout           nothing, for 4.3 s: timeouts are
//	                                                                        looked for every 2 s or so
//	status without DNR, once        sends it again, at once                 nothing
//	status without DNR, each time   sends it 6 times (nvme_core.max_retries) EIO
//	status with DNR                 does not send it again                  EIO; ENODATA for media errors
//	Keep Alive unanswered           gives the target up after KATO, then    nothing, for KATO + 2 s
//	                                error recovery
//	firmware that never gets ready  waits for CAP.TO, then "Device not      NVME_IOCTL_RESET: ENETRESET
//	                                ready", and connects again each second
//	... longer than ctrl_loss_tmo   removes the controller                  ENODEV
//	namespace detached (AER)        scans, removes the block device         EOF of what is open
//	block size changed (AER)        reads the size again                    nothing
//	controller, conventional,       error recovery                          nothing, for 1.1 s
//	subsystem reset, power cycle
//	of the drive, not by the host
//	power off                       keeps I/O until the power is back, or   nothing; ENOLINK after it
//	                                ctrl_loss_tmo is over
//	NSSR by the host                resets the controller by the connection nothing, for the admin timeout
//	                                that NSSR has ended, and waits for the  (60 s) and 1.1 s
//	                                answer; then error recovery
//	activation without reset (AER)  holds I/O back until CSTS.PP is clear   state "resetting"
//	ANA inaccessible, persistent    takes another path, by event or status  nothing
//	loss, change
//	... of all paths                keeps I/O until there is one: also      nothing
//	                                where the loss is persistent
//	... told by status alone        reads the ANA log, and sends it again,  nothing; with DNR: EIO
//	                                as often as it takes
//	... from the beginning          makes no block device until there is    no block device
//	                                a path
//	ANA change, for 2 * ANATT       resets the controller; again after each nothing, by another path
//	                                2 * ANATT, for as long as it lasts
//
// Of events the kernel tells by uevents (NVME_AEN=) those of errors, SMART, and the
// I/O command set, and the change of a discovery log page; notices of namespaces,
// firmware and ANA it handles itself, and tells nobody. A connection that is back is
// NVME_EVENT=connected.
//
// Linux 6.1 was seen, a few times in dozens of runs, to warn in insert_work
// (kernel/workqueue.c) of a timer that fires for work which is not pending, and once
// to panic in __run_timers, where controllers had come and gone in quick succession.
// By its source this is the timer of the keep-alive of a controller that was freed:
// deleted after it had become live, and before nvme_start_ctrl began the keep-alive,
// which nvme_stop_ctrl had stopped by then. Since Linux 6.11 nvme_uninit_ctrl stops it
// (commit a54a93d0e359, "nvme: move stopping keep-alive into nvme_uninit_ctrl()");
// 6.1 has not got that. [Attached.Close] lets the kernel finish a connection first.
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

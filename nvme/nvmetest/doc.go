// Package nvmetest is an NVMe drive in software, for testing what talks to one:
// no hardware, no root, no waiting.
//
// A [Drive] is an NVM subsystem as a state machine: controllers, namespaces and
// their data, firmware slots, logs, features, and the operations that take time.
// Its clock is stepped. Nothing happens behind the caller's back: no goroutines,
// and time passes only where somebody lets it pass, so that a sanitize of two
// hours is over in a microsecond and every run is like the one before.
//
//	drive, err := nvmetest.New(nvmetest.Enterprise())
//	...
//	done, err := drive.Submit(ctx, nvme.Command{Opcode: nvme.AdminIdentify, ...})
//
// A [Controller] is an nvme.Transport and an nvme.Operator; the Drive itself
// stands for its first one.
//
// # Strictness
//
// Where the specification lets a controller take or leave what is wrong, this
// one refuses it: reserved bits, an NSID where none belongs, a buffer of another
// length than the command implies, a firmware chunk off its granularity. What
// works here should work on a drive; what fails here fails on some drive.
// The specification is NVM Express Base 2.0 and the NVM Command Set 1.0.
//
// # Time
//
// [Drive.Now] starts at zero. [Drive.Advance] moves it; [Drive.Wait] does the
// same and has the form that the procedures of package nvme wait with. A command
// that itself takes time (a format; one that a [Fault] delays; any while the
// controller comes up after a reset) moves the clock to its end, unless the
// profile says Stepped: then Submit stays until somebody else has moved it there.
//
// # Power and caches
//
// [Drive.Reset], [Drive.PowerOff] and [Drive.PowerOn] do what a test does to a drive
// that no host has asked for; a transport hears of it by [Drive.OnReset]. With
// [Profile.CacheSize] the drive has a volatile write cache, and loses with its power
// what was neither flushed nor forced to the media: all of it, or what
// [Drive.LosePower] says, in any order.
//
// # Faults, events, journal
//
// [Drive.Inject] makes commands fail, wait, hang, answer with less or with
// garbage, or lose the drive. Asynchronous events come to whoever has an
// Asynchronous Event Request outstanding, see [Controller.Events] for what
// waits. [Drive.Journal] lists what was done to the drive. Firmware may be of any
// kind that there is trouble with ([Activation]), namespaces come and go
// ([Namespace.Detach]), and with [MultiPath] the ways to them change
// ([Controller.SetANA]).
package nvmetest

// Package loop attaches files to loop devices of Linux and finds the partitions
// on them.
//
//	d, err := loop.Attach(ctx, file, loop.Options{})
//	if err != nil {
//		return err
//	}
//	defer d.Close()
//	partitions, err := d.Partitions(ctx)
//
// The device lives as long as a descriptor of it. After Close, and after the
// end of the process by whatever cause, SIGKILL included, nothing is left: no
// bound device, no partition, no node. [Options.Persist] is the exception.
//
// # What it does
//
// Attach asks /dev/loop-control for a free device, opens that without O_EXCL
// and binds it with a single LOOP_CONFIGURE, which sets offset, size, block
// size and flags together: AUTOCLEAR, so that the kernel unbinds the device
// with the last descriptor, and PARTSCAN, without which partitions outlive it
// and meet whoever gets the device next. Another process can be given the same
// free device; then Attach tries the next one, with backoff and jitter, for
// about a second or until the context ends. Everything that the Device tells
// was read back from the kernel.
//
// Partitions are those that the kernel has found. A kernel without a parser for
// GPT or MBR finds none; then the package reads the table itself and adds its
// partitions with BLKPG. Device numbers come from the kernel and are never
// computed from names: they depend on the module parameter max_part.
//
// A bound device can be changed in place: [Device.Refresh] after its file has got
// another size, [Device.UpdatePartitions] after somebody has changed the table,
// [Device.ChangeBacking] to another file, and the block size, direct I/O and single
// partitions by methods of their names. Where somebody's use of the device is in
// the way, the error is a [BusyError] and says whose; [Device.Holders] tells it at
// any time.
//
// A container often has a /dev without these nodes. The package then opens them
// in a devtmpfs of its own, mounted nowhere, or makes them in such a tmpfs.
// [Device.Path] and [Partition.Path] are then below /proc/PID/fd. Programs that
// this process starts can use those paths, and so can all others that may look
// into its /proc; or give a program an open file, in [os/exec.Cmd.ExtraFiles].
//
// # Beside udev
//
// A udevd opens every new device and partition, to look at it. What fails for that,
// such as [Device.DeletePartition], is tried again for as long as nobody else is in
// the way; and after Close the device goes when udevd has closed it.
//
// Some time after somebody has closed a disk that he could write to, udevd also has
// the kernel read its partition table anew: all partitions vanish for an instant, and
// those of no table for good. A Device keeps that away, by a shared flock(2) of the
// disk, from Attach and from each call about partitions on, until udevd has been quiet
// for half a second (https://systemd.io/BLOCK_DEVICE_LOCKING). A program that wants the
// disk locked for itself, as mkfs.btrfs, waits as long. Later on only those who write
// to the disk bring it about. To be safe from them too, lock a file of [Device.Open].
//
// # What the kernel lets happen, and this package does not
//
//   - A size that is no multiple of the block, or an offset past the end of the
//     file, is rounded to a shorter or an empty device: refused before.
//   - A file open for reading only makes the device read-only: wants
//     Options.ReadOnly.
//   - Direct I/O that cannot be is dropped: [DirectIORequire] fails instead.
//   - One file is attached twice, with two page caches: [ErrShared], unless
//     Options.AllowShared. That is exact among all who attach by this package:
//     it looks before binding, and again after it. The two cost 5 us on a machine
//     with few block devices, 0.2 us for each loop device that exists, and 6 us
//     for each that is bound. Devices on files of the same name, such as memfds
//     made with one, are opened for an instant to ask them. A program that has
//     just made the file itself can set AllowShared and spare all that.
//   - The ioctls of the whole device work through a partition, so that clearing
//     one clears all: [Open] refuses partitions.
//
// # What to know
//
//   - Open files and mounts of the device or of a partition keep it bound after
//     Close; the kernel unbinds it after the last of them. So do, for some
//     microseconds, a child process that another goroutine is just starting and
//     a process that meant to attach to the same device. [Device.Detach] waits
//     for the latter and reports the former.
//   - The garbage collector closes a Device that has become unreachable. A path
//     does not keep it: hold the Device as long as its path is in use.
//   - Writing to the file while its device is in use, or the other way round,
//     goes past a page cache. Shrinking the file makes reads fail with EIO, and
//     a write then makes it grow again.
//   - A device stays in /dev when it is unbound, for the next one to use.
//     Nothing here removes devices.
//
// Attaching needs Linux 5.8 and CAP_SYS_ADMIN; nodes where /dev has none need
// CAP_MKNOD where no devtmpfs can be mounted. On other systems every call
// returns [errors.ErrUnsupported].
//
// The kernel's side is in drivers/block/loop.c, block/ioctl.c (BLKPG) and
// include/uapi/linux/loop.h; behaviour is described as of Linux 6.18.
package loop

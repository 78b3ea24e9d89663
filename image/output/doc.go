// Package output writes disk images in the formats that clouds, hypervisors and
// flashing tools take, while the image is made: no raw image lies between.
//
//	f, err := os.Create("disk.qcow2")
//	...
//	w, err := output.NewQCOW2(f, plan.Size, output.QCOW2Options{Compression: output.CompressZstd})
//	...
//	defer w.Close()
//	if err := plan.WriteAt(ctx, w, image.Options{}); err != nil { ... }
//	if err := w.Finish(); err != nil { ... }
//
// A [Writer] is a volume.Sink: bytes at offsets that rise, and zeros wherever
// nothing is written, which cost nothing in any of the formats. Finish writes what
// can only be known at the end, such as headers and tables. Until then the file is
// none that anybody takes for a disk, so that one that was interrupted is not
// mistaken for a whole one.
//
// The formats, each as its specification has it:
//
//   - [QCOW2]: version 3, as QEMU's docs/interop/qcow2.txt describes it; clusters
//     as they are, or compressed by deflate or zstd.
//   - [VHD]: fixed and dynamic, Virtual Hard Disk Image Format Specification 1.0.
//   - [VHDX]: dynamic, [MS-VHDX].
//   - [Zstd]: the raw image, compressed in frames of their own (RFC 8878) with the
//     seek table of zstd's contrib/seekable_format 0.1.0 behind them.
//   - [Bmap]: no image but the map of one, version 2.0, with which bmaptool copies
//     only what matters.
//
// [NewReader] reads the disk back from files of these formats, whoever has made
// them, at any place: of qcow2, zstd with a seek table and fixed VHD. Of others there
// is an error, and qemu-img to convert them.
//
// What is compressed is compressed on all CPUs, and comes out the same on any
// number of them. Nothing is taken from a clock or a source of random numbers: what
// looks like it is derived from what the options say.
package output

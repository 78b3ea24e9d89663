// Package uki makes unified kernel images: EFI programs that hold a kernel, its
// initramfs and its command line, so that firmware or systemd-boot starts them
// as one file.
//
// An [Image] names the parts: a stub, as systemd brings it (linuxx64.efi.stub),
// and what is appended to it as sections. [Image.Entry] is a file of a tree that
// goes wherever files go, most often to /EFI/Linux of an EFI system partition:
//
//	entry, err := (&uki.Image{Stub: stub, Kernel: kernel, Initrds: []uki.Source{initrd}, CmdLine: "quiet"}).Entry()
//	_, err = tree.Add("EFI/Linux/debian.efi", entry)
//
// The stub and the head of the kernel are read for the entry; the rest is read
// when the tree is written, and never held in memory. The same parts give the
// same bytes.
//
// A Signer of package [github.com/drivebay/drivebay/image/authenticode] signs the
// image. The stub has to be unsigned in any case: what is appended to a signed one
// breaks its signature.
//
// Sources are the UAPI Group's Unified Kernel Image specification, version 1,
// Microsoft's PE Format (the part on COFF and PE32+ headers), and
// Documentation/arch/x86/boot.rst of Linux 6.12.
package uki

// Package authenticode signs EFI programs for Secure Boot: boot loaders, kernels,
// unified kernel images, drivers. The signature is Authenticode's, appended to the
// program, which is what firmware, shim and systemd-boot verify.
//
// A [Signer] has a key and its certificate, and makes of a file of a tree one that
// is signed:
//
//	signer, err := authenticode.Load("db.key", "db.crt")
//	entry, err := signer.Entry(loader) // a filetree.Entry
//	_, err = tree.Add("EFI/BOOT/BOOTX64.EFI", entry)
//
// What is signed is read when the tree is written, and never held in memory. There
// is no time in a signature, so that the same program and key give the same bytes.
//
// Keys are RSA, and the digest is SHA-256: EDK II, of which most firmware is made,
// verifies no others. A program that is signed already gets one more signature, so
// that one may be trusted by several keys.
//
// Sources are Microsoft's "Windows Authenticode Portable Executable Signature
// Format" of 2008, its PE Format, UEFI 2.10, 32.5.1, and RFC 2315 (PKCS #7 1.5).
package authenticode

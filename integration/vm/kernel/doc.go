// Package kernel finds Linux kernels for virtual machines: the host's own, those
// that Debian's packages bring, or any image with its modules; and it knows which
// modules a module needs.
//
// [Fetch] brings a package of [Packages] into the user's cache directory by means
// of apt-get and dpkg-deb. Nothing is installed and no root is needed; several
// kernels lie side by side. [Open] takes any bzImage, [Host] that of this machine.
//
// Dependencies are read from the modules themselves (the section .modinfo), not
// from modules.dep, which is in no package: depmod writes it at installation.
// Modules may be plain or compressed with gzip, xz or zstd.
//
// The image formats are those of Documentation/arch/x86/boot.rst, Linux 6.12.
package kernel

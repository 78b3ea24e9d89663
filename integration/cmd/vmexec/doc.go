// Vmexec runs a program in a virtual machine, as root, on a stock Linux kernel. It
// is made for go test:
//
//	go build -o vmexec ./integration/cmd/vmexec
//	./vmexec -fetch
//	go test -exec "$PWD/vmexec" ./loop
//
// The test binary finds its arguments, environment, directory with testdata, and
// standard streams; its exit status, coverage profile, fuzz corpus, profiles and
// artifacts come back. It wants QEMU, and neither root, nor KVM, nor network, nor
// an image. Any other program goes after two dashes:
//
//	./vmexec -tool lsblk -- /bin/lsblk
//
// Usage:
//
//	vmexec [flags] program [arguments]
//
// # Flags
//
// The environment variable VMEXEC holds flags that come before those of the
// command line, separated by spaces; a file that -config names holds one on each
// line. Run vmexec -help for the list.
//
// # Kernels
//
// Without -kernel the host's own kernel is taken where it is installed and can be
// read, else the first that -fetch has brought: Debian's, into drivebay/kernels in
// the user's cache directory. -kernel is the path of a bzImage or the beginning of
// the release of one that was fetched: -kernel 6.12.
//
// # Exit status
//
// That of the program; 128 and the number of the signal that ended it; 125 where
// the machine or vmexec itself is the trouble, 2 where its flags are.
package main

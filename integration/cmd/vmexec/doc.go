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
// # Packages of others
//
// A package needs no preparation. Of one that tests mounts, in a directory of its
// module, without root:
//
//	$ cd "$(go mod download -json github.com/moby/sys/mount@v0.3.4 | jq -r .Dir)"
//	$ go test -v -exec "vmexec -v" .
//	...
//	--- PASS: TestSubtreeUnbindable (0.01s)
//	PASS
//	vmexec: kernel 6.1.0-56-cloud-amd64, packed in 30 ms, booted in 4723 ms
//	ok  	github.com/moby/sys/mount	5.482s
//
// What tests take from the machine or from a neighbour's directory is named, as for
// those of go-diskfs that want a kernel with a parser for partition tables:
//
//	$ cd "$(go mod download -json github.com/diskfs/go-diskfs@v1.9.4 | jq -r .Dir)/disk"
//	$ go test -run 'BLKPG|Exclusive|Partition' -exec "vmexec -scratch 512M -module 'loop max_part=15' \
//	    -tool losetup -tool mkfs.ext4 -tool mount -tool umount -file ../partition" .
//	ok  	github.com/diskfs/go-diskfs/disk	16.998s
//
// # Another architecture
//
// A program for arm64 gets a guest of arm64, wherever vmexec runs; that guest's init
// is a build of vmexec for it, which lies beside vmexec as vmexec-arm64. Its kernel
// comes from Debian's arm64, of which the machine's dpkg need not know. Tools and
// libraries of the machine are of no use in it, and tests that want them skip:
//
//	$ GOARCH=arm64 go build -o vmexec-arm64 ./integration/cmd/vmexec
//	$ ./vmexec -fetch -arch arm64
//	$ GOARCH=arm64 go test -exec "$PWD/vmexec -v" ./nvme
//	vmexec: kernel 6.1.0-56-cloud-arm64, packed in 29 ms, booted in 3991 ms
//	ok  	github.com/drivebay/drivebay/nvme	12.255s
//	$ GOARCH=arm64 go test -exec "$PWD/vmexec -v" ./loop
//
// # What a guest's kernel leaves out
//
// For a boot that is sooner over: KASLR, mitigations, read-only kernel text, memory
// cleared when it is allocated, AppArmor, the self-tests of its ciphers, the random
// number generator jitterentropy, the names of enumerations in traces, a keyboard.
// vmexec -print shows the arguments.
//
// # Kernels
//
// Without -kernel the host's own kernel is taken where it is installed and can be
// read, else the first that -fetch has brought: Debian's, into drivebay/kernels in
// the user's cache directory. -kernel is the path of a bzImage or the beginning of
// the release of one that was fetched: -kernel 6.12.
//
// # Signals
//
// SIGINT, SIGTERM, SIGQUIT and SIGHUP are for the program. Before it runs they end
// vmexec, and the third SIGINT or SIGTERM ends a guest that is stuck. So does the time
// of a test's -timeout and a minute more, counted from the start of the program. Nothing
// is left running, however vmexec ends.
//
// # Exit status
//
// That of the program; 128 and the number of the signal that ended it; 125 where
// the machine or vmexec itself is the trouble, 2 where its flags are.
package main

package loop_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/loop"
)

// benchSize is enough for a partition table and a partition; size does not
// matter to attaching.
const benchSize = 4 << 20

// backings are the files that the benchmarks attach.
var backings = []struct {
	name string
	open func(testing.TB) *os.File
}{
	{"memfd", func(tb testing.TB) *os.File { return memfd(tb, benchSize) }},
	{"file", func(tb testing.TB) *os.File { return diskFile(tb, benchSize) }},
}

// BenchmarkAttach compares, in one run, attaching and detaching a file by this
// package, by the bare system calls that it cannot do without, and by losetup.
//
// own-file is for a file that the caller has just made, and so need not look
// for among the devices that exist; the machine's number of those is reported.
func BenchmarkAttach(b *testing.B) {
	fixture.RequireLoop(b)
	for _, backing := range backings {
		f := backing.open(b)
		b.Run(backing.name+"/ioctls", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bareAttach(b, f)
			}
		})
		for _, tc := range []struct {
			name string
			opts loop.Options
		}{
			{"own-file", loop.Options{AllowShared: true}},
			{"default", loop.Options{}},
		} {
			b.Run(backing.name+"/"+tc.name, func(b *testing.B) {
				b.ReportAllocs()
				b.ReportMetric(float64(blockDevices(b)), "devices")
				for b.Loop() {
					d, err := loop.Attach(b.Context(), f, tc.opts)
					if err != nil {
						b.Fatal(err)
					}
					if err := d.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	b.Run("file/losetup", func(b *testing.B) {
		losetup := fixture.RequireTool(b, "losetup")
		path := namedFile(b, "disk", benchSize).Name()
		for b.Loop() {
			out, err := exec.Command(losetup, "-f", "--show", path).Output()
			if err != nil {
				b.Fatal(err)
			}
			if err := exec.Command(losetup, "-d", strings.TrimSpace(string(out))).Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPartition goes from a file to an open partition and back.
func BenchmarkPartition(b *testing.B) {
	fixture.RequireLoop(b)
	sfdisk := fixture.RequireTool(b, "sfdisk")
	for _, backing := range backings {
		b.Run(backing.name, func(b *testing.B) {
			f := backing.open(b)
			run(b, "label: gpt\n,1M\n,1M\n", sfdisk, "--no-reread", "--no-tell-kernel", "/proc/"+itoa(os.Getpid())+"/fd/"+itoa(int(f.Fd())))
			b.ReportAllocs()
			for b.Loop() {
				d, err := loop.Attach(b.Context(), f, loop.Options{AllowShared: true})
				if err != nil {
					b.Fatal(err)
				}
				parts, err := d.Partitions(b.Context())
				if err != nil || len(parts) != 2 {
					b.Fatal(parts, err)
				}
				p, err := parts[0].Open(os.O_RDWR)
				if err != nil {
					b.Fatal(err)
				}
				if err := errors.Join(p.Close(), d.Close()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParallelAttach has more users of loop devices than processors.
func BenchmarkParallelAttach(b *testing.B) {
	fixture.RequireLoop(b)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		f := memfd(b, benchSize)
		for pb.Next() {
			d, err := loop.Attach(b.Context(), f, loop.Options{AllowShared: true})
			if err != nil {
				b.Error(err)
				return
			}
			_ = d.Close()
		}
	})
}

// blockDevices returns the number of block devices of the machine, in use or not.
func blockDevices(tb testing.TB) int {
	tb.Helper()
	entries, err := os.ReadDir("/sys/block")
	if err != nil {
		tb.Fatal(err)
	}
	return len(entries)
}

// bareAttach is the floor: no check, no retry, nothing read back.
func bareAttach(b *testing.B, f *os.File) {
	ctl, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(ctl)
	n, err := unix.IoctlRetInt(ctl, unix.LOOP_CTL_GET_FREE)
	if err != nil {
		b.Fatal(err)
	}
	fd, err := unix.Open("/dev/loop"+itoa(n), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(fd)
	config := unix.LoopConfig{Fd: uint32(f.Fd()), Size: 512}
	config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR | unix.LO_FLAGS_PARTSCAN
	if err := unix.IoctlLoopConfigure(fd, &config); err != nil {
		b.Fatal(err)
	}
}

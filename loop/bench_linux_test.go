package loop_test

import (
	"os"
	"os/exec"
	"path/filepath"
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

// BenchmarkAttach compares, in one run, attaching and detaching by this package,
// by the bare system calls that it cannot do without, and by losetup.
func BenchmarkAttach(b *testing.B) {
	fixture.RequireLoop(b)
	for _, backing := range backings {
		f := backing.open(b)
		b.Run("loop/"+backing.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d, err := loop.Attach(b.Context(), f, loop.Options{})
				if err != nil {
					b.Fatal(err)
				}
				if err := d.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("loop-shared/"+backing.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d, err := loop.Attach(b.Context(), f, loop.Options{AllowShared: true})
				if err != nil {
					b.Fatal(err)
				}
				_ = d.Close()
			}
		})
		b.Run("ioctls/"+backing.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bareAttach(b, f)
			}
		})
	}
	b.Run("losetup/file", func(b *testing.B) {
		losetup := fixture.RequireTool(b, "losetup")
		f := diskFile(b, benchSize)
		// losetup wants a name: that of an O_TMPFILE file is its magic link.
		path := filepath.Join(b.TempDir(), "disk")
		if err := os.WriteFile(path, make([]byte, benchSize), 0o600); err != nil {
			b.Fatal(err)
		}
		_ = f.Close()
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

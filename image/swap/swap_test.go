package swap_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/swap"
	"github.com/drivebay/drivebay/image/volume"
)

func TestMain(m *testing.M) { fixture.Main(m) }

const mib = 1 << 20

var seed = uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001")

func geometry(size int64) volume.Geometry {
	return volume.Geometry{SectorSize: 512, Size: size, Seed: seed}
}

// build writes a swap space to a file and returns its name.
func build(t *testing.T, s *swap.Space, size int64) string {
	t.Helper()
	p, err := s.Plan(t.Context(), geometry(size))
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "swap")
	imagetest.WritePlan(t, p, name)
	return name
}

// run runs a tool that has to succeed, and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(fixture.RequireTool(t, name), args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

func TestSpaceIsWhatMkswapMakes(t *testing.T) {
	id := uuid.MustParse("0190a7b2-6dbe-7c5f-9e0b-4d1f2a3b4c5d")
	for _, tc := range []struct {
		name  string
		space swap.Space
		size  int64
	}{
		{"plain", swap.Space{UUID: id}, mib},
		{"smallest", swap.Space{UUID: id}, 40960},
		{"label", swap.Space{UUID: id, Label: "swäp"}, 64 * mib},
		{"part of a page", swap.Space{UUID: id}, mib + 512*7},
		{"large pages", swap.Space{UUID: id, PageSize: 65536}, 16 * mib},
		{"past 32 bits", swap.Space{UUID: id}, 5 << 30},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ours := build(t, &tc.space, tc.size)
			theirs := filepath.Join(t.TempDir(), "swap")
			require.NoError(t, os.WriteFile(theirs, nil, 0o600))
			require.NoError(t, os.Truncate(theirs, tc.size))
			run(t, "mkswap", "--uuid", id.String(), "--label", tc.space.Label,
				"--pagesize", strconv.Itoa(max(tc.space.PageSize, 4096)), theirs)
			head := min(tc.size, 1<<20) // the rest is a hole
			require.True(t, bytes.Equal(start(t, theirs, head), start(t, ours, head)))
		})
	}
}

// start returns the first bytes of a file.
func start(t *testing.T, name string, n int64) []byte {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, n)
	_, err = f.ReadAt(b, 0)
	require.NoError(t, err)
	return b
}

func TestToolsReadIt(t *testing.T) {
	id := volume.Derive(seed, "filesystem").String()
	name := build(t, &swap.Space{Label: "sixteen bytes ok"}, mib)
	require.Equal(t, []string{"LABEL: sixteen bytes ok", "UUID:  " + id},
		strings.Split(strings.TrimSpace(run(t, "swaplabel", name)), "\n"))
	info := run(t, "blkid", "-p", "-o", "export", name)
	for _, want := range []string{"TYPE=swap", "VERSION=1", "UUID=" + id, `LABEL=sixteen\ bytes\ ok`} {
		require.Contains(t, info, want)
	}
}

func TestKernelSwapsOn(t *testing.T) {
	fixture.RequireLoop(t)
	fixture.RequireTool(t, "swapon", "swapoff")
	if os.Getpagesize() != 4096 {
		t.Skipf("the kernel has pages of %d bytes", os.Getpagesize())
	}
	d := fixture.Disk(t, image.Layout{Partitions: []image.Partition{{Type: image.Swap, Size: 8 * mib, Content: &swap.Space{Label: "kernel"}}}})
	path := d.Partition(1).Path()
	out, err := exec.Command(fixture.RequireTool(t, "swapon"), path).CombinedOutput()
	if err != nil && (bytes.Contains(out, []byte("not permitted")) || bytes.Contains(out, []byte("not implemented"))) {
		t.Skipf("swapping is not for this user, or this kernel: %s", out)
	}
	require.NoError(t, err, "%s", out)
	t.Cleanup(func() {
		out, err := exec.Command(fixture.RequireTool(t, "swapoff"), path).CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	swaps, err := os.ReadFile("/proc/swaps")
	require.NoError(t, err)
	require.Contains(t, string(swaps), strconv.Itoa(8<<10-4)) // KiB, without the header
}

func TestInfo(t *testing.T) {
	p, err := (&swap.Space{Label: "s"}).Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	require.Equal(t, volume.Info{
		Format: "swap", Label: "s", UUID: volume.Derive(seed, "filesystem").String(), Size: 40960, Used: 4096,
		Free: []volume.Extent{{Offset: 4096, Length: 36864}},
	}, p.Info())
}

func TestPlanRefuses(t *testing.T) {
	for _, tc := range []struct {
		name  string
		space swap.Space
		size  int64
		want  string
	}{
		{"page size", swap.Space{PageSize: 5000}, mib, "page size of 5000 bytes: bad option: want a power of two from 4096 to 65536"},
		{"small page", swap.Space{PageSize: 2048}, mib, "page size of 2048 bytes"},
		{"label", swap.Space{Label: "seventeen bytes.."}, mib, "of 17 bytes: bad option: want at most 16"},
		{"NUL", swap.Space{Label: "a\x00b"}, mib, "want no NUL"},
		{"negative", swap.Space{}, -1, "size of -1 bytes"},
		{"large", swap.Space{}, 16<<40 + 4096, "want at most 17592186044416 with pages of 4096"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := tc.space.Plan(t.Context(), geometry(tc.size))
			require.ErrorIs(t, err, swap.ErrOption)
			require.ErrorContains(t, err, tc.want)
		})
	}
	_, err := (&swap.Space{PageSize: 16384}).Plan(t.Context(), geometry(mib/8))
	var short *volume.SizeError
	require.True(t, errors.As(err, &short))
	require.Equal(t, volume.SizeError{Format: "swap", Size: mib / 8, Need: 163840, Resource: "bytes"}, *short)
}

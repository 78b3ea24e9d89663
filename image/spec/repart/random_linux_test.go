package repart_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/spec/repart"
)

// randomDefinitions returns definitions of sizes, weights and gaps that somebody
// might think of, and the size of a disk for them.
func randomDefinitions(r *rand.Rand) (files []string, size int64) {
	for i := range 1 + r.IntN(7) {
		text := fmt.Sprintf("%02d.conf\nType=linux-generic", i)
		add := func(key string, value any) { text += fmt.Sprintf("\n%s=%v", key, value) }
		if r.IntN(2) == 0 {
			add("Weight", []int{0, 1, 333, 1000, 77777, 1000000}[r.IntN(6)])
		}
		if r.IntN(4) == 0 {
			add("PaddingWeight", []int{0, 1, 500, 1000, 1000000}[r.IntN(5)])
		}
		low := int64(1+r.IntN(10_000)) * 4096
		if r.IntN(2) == 0 {
			add("SizeMinBytes", low)
		}
		if r.IntN(2) == 0 {
			add("SizeMaxBytes", low+int64(r.IntN(20_000))*4096)
		}
		gap := int64(r.IntN(3000)) * 4096
		if r.IntN(4) == 0 {
			add("PaddingMinBytes", gap)
		}
		if r.IntN(4) == 0 {
			add("PaddingMaxBytes", gap+int64(r.IntN(3000))*4096)
		}
		files = append(files, text)
	}
	return files, int64(r.IntN(200_000))*4096 + 300<<20
}

// TestRandomTables compares the places and sizes of partitions with those that
// systemd-repart says it would give them.
func TestRandomTables(t *testing.T) {
	program := fixture.RequireTool(t, "systemd-repart")
	r := rand.New(rand.NewPCG(1, 2))
	disk := filepath.Join(t.TempDir(), "disk.img")
	for range 50 {
		files, size := randomDefinitions(r)
		dir := define(t, files...)
		require.NoError(t, os.RemoveAll(disk))
		require.NoError(t, os.WriteFile(disk, nil, 0o644))
		require.NoError(t, os.Truncate(disk, size))
		out, err := exec.Command(program, "--empty=force", "--dry-run=yes", "--json=short", "--definitions="+dir, "--seed="+seed.String(), disk).Output()
		text := strings.Join(files, "\n")
		require.NoError(t, err, text)
		var want []struct {
			Offset int64
			Size   int64 `json:"raw_size"`
			UUID   string
			Label  string
		}
		require.NoError(t, json.Unmarshal(out, &want), text)
		_, p := build(t, dir, repart.Options{Seed: seed, Size: size})
		got := want[:0:0]
		for _, part := range p.Partitions {
			got = append(got, want[0])
			last := &got[len(got)-1]
			last.Offset, last.Size, last.UUID, last.Label = part.Start, part.Size, part.ID.String(), part.Name
		}
		require.Equal(t, want, got, "%d bytes: %s", size, text)
	}
}

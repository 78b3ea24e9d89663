package image_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
)

// seed makes the layouts of these tests the same at every run.
var seed = uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001")

// run runs a tool that has to succeed, and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(fixture.RequireTool(t, name), args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

// sfdiskTable is what sfdisk --json prints.
type sfdiskTable struct {
	Table struct {
		Label, ID  string
		SectorSize int64
		Partitions []struct {
			Start, Size             int64
			Node                    string
			Type, UUID, Name, Attrs string
			Bootable                bool
		}
	} `json:"partitiontable"`
}

func sfdisk(t *testing.T, name string) (s sfdiskTable) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(run(t, "sfdisk", "--json", name)), &s))
	return s
}

func TestBuildTables(t *testing.T) {
	blob := bytes.Repeat([]byte("drivebay"), 1000)
	for _, tc := range []struct {
		name   string
		layout image.Layout
	}{
		{"gpt", image.Layout{}},
		{"mbr", image.Layout{Table: image.MBR}},
		{"hybrid", image.Layout{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := tc.layout
			l.Seed = seed
			l.Partitions = []image.Partition{
				{Name: "boot", Type: image.ESP, Size: 3 * image.MiB, Attributes: image.LegacyBoot},
				{Name: "dätä 💾", Content: image.RawBytes(blob)},
			}
			if tc.name == "hybrid" {
				l.Partitions[1].HybridType = "0x83"
			}
			name := filepath.Join(t.TempDir(), "disk")
			p, err := image.Build(t.Context(), name, l, image.Options{Sync: true})
			require.NoError(t, err)

			require.Equal(t, [][2]int64{{image.MiB, 3 * image.MiB}, {4 * image.MiB, image.MiB}}, places(p))
			require.Contains(t, run(t, "sfdisk", "--verify", name), "No errors")
			got := sfdisk(t, name)
			require.Len(t, got.Table.Partitions, 2)
			for i, part := range got.Table.Partitions {
				require.Equal(t, places(p)[i], [2]int64{part.Start * 512, part.Size * 512})
			}
			b, err := os.ReadFile(name)
			require.NoError(t, err)
			require.Equal(t, p.Size, int64(len(b)))
			require.True(t, bytes.Equal(blob, b[4*image.MiB:][:len(blob)]))
			if l.Table == image.GPT {
				require.Contains(t, run(t, "sgdisk", "-v", name), "No problems found")
				require.Equal(t, "dätä 💾", got.Table.Partitions[1].Name)
			}
		})
	}
}

func places(p *image.Plan) (places [][2]int64) {
	for _, part := range p.Partitions {
		places = append(places, [2]int64{part.Start, part.Size})
	}
	return places
}

func TestBuildIsReproducible(t *testing.T) {
	l := image.Layout{Partitions: []image.Partition{{Size: image.MiB, Content: image.RawBytes([]byte("x"))}}}
	name := filepath.Join(t.TempDir(), "disk")
	p, err := image.Build(t.Context(), name, l, image.Options{})
	require.NoError(t, err)
	h := sha256.New()
	n, err := p.WriteTo(h)
	require.NoError(t, err)
	require.Equal(t, p.Size, n)
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	h2 := sha256.New()
	_, err = io.Copy(h2, f)
	require.NoError(t, err)
	require.Equal(t, h.Sum(nil), h2.Sum(nil))
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/mkfs"
	"github.com/drivebay/drivebay/image/volume"
)

func TestMain(m *testing.M) { fixture.Main(m) }

// content returns a version of the file.
func content(version int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "version %d\n", version), 1000)
}

// before saves the first version.
func before(m *fixture.Mount, p *fixture.Promises) error {
	p.Keep("state", content(0))
	return save(m.Path(), "state", content(0))
}

// saves returns a program that saves the file a few times and works on something
// else between.
func saves(save func(dir, name string, content []byte) error) func(*fixture.Mount, *fixture.Promises) error {
	return func(m *fixture.Mount, p *fixture.Promises) error {
		for version := 1; version <= 3; version++ {
			p.Begin("state", content(version))
			if err := save(m.Path(), "state", content(version)); err != nil {
				return err
			}
			p.Keep("state", content(version))
		}
		return nil
	}
}

// saveWithoutSync is what many programs do.
func saveWithoutSync(dir, name string, content []byte) error {
	temp := filepath.Join(dir, name+".new")
	if err := os.WriteFile(temp, content, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(dir, name))
}

// saveSyncedTooLate syncs the file, but only when it has its name.
func saveSyncedTooLate(dir, name string, content []byte) error {
	if err := saveWithoutSync(dir, name, content); err != nil {
		return err
	}
	d, err := os.Open(dir + "/")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func TestPowerCuts(t *testing.T) {
	for _, fs := range []struct {
		name    string
		size    int64
		content volume.Content
		tool    string
	}{
		{"ext4", 16 * image.MiB, &ext4.FileSystem{}, "e2fsck"},
		{"xfs", 300 * image.MiB, &mkfs.FileSystem{Type: mkfs.XFS}, "mkfs.xfs"},
		{"btrfs", 128 * image.MiB, &mkfs.FileSystem{Type: mkfs.Btrfs}, "mkfs.btrfs"},
	} {
		t.Run(fs.name, func(t *testing.T) {
			fixture.RequireTool(t, fs.tool)
			layout := image.Layout{Partitions: []image.Partition{{Name: "root", Size: fs.size, Content: fs.content}}}
			t.Run("save", func(t *testing.T) {
				fixture.PowerCuts(t, layout, saves(save), nil, fixture.Before(before), fixture.MaxCuts(150))
			})
			for _, careless := range []struct {
				name string
				save func(string, string, []byte) error
			}{
				{"without sync", saveWithoutSync},
				{"synced too late", saveSyncedTooLate},
			} {
				t.Run(careless.name, func(t *testing.T) {
					var r *fixture.CutReport
					// When the kernel writes what nobody has synced is chance, and with
					// luck it comes in time.
					for tries := 0; tries < 10 && (r == nil || r.Failure == nil); tries++ {
						r = fixture.FindPowerCut(t, layout, saves(careless.save), nil, fixture.Before(before), fixture.MaxCuts(150))
					}
					require.NotNil(t, r.Failure, "nothing was lost")
					t.Log(r.Failure)
				})
			}
		})
	}
}

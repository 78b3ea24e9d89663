package spec_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/iso9660"
	"github.com/drivebay/drivebay/image/spec"
)

const isoSpec = `
table: none
align: 2048
partitions:
  - content:
      format: iso9660
      label: INSTALL
      level: 1
      rock-ridge: false
      joliet: true
      map-names: true
      drop-unsupported: true
      hybrid: true
      boot-code: mbr.bin
      boot:
        - {path: /boot.bin, info-table: true, grub: true, load-sectors: 8}
        - {platform: uefi, file: esp.img}
      files:
        - {path: /boot.bin, text: "0123456789012345678901234567890123456789012345678901234567890123456789"}
`

func TestISO9660(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"mbr.bin": "code", "esp.img": strings.Repeat("E", 512)} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	s, err := spec.Parse("disk.yaml", strings.NewReader(isoSpec), dir)
	require.NoError(t, err)
	l, err := s.Layout(t.Context())
	require.NoError(t, err)
	defer l.Close()
	require.Equal(t, []spec.Source{{Path: filepath.Join(dir, "esp.img")}, {Path: filepath.Join(dir, "mbr.bin")}}, l.Sources)
	f := l.Partitions[0].Content.(*iso9660.FileSystem)
	require.Equal(t, int64(512), f.Boot[1].Image.(image.Raw).Size)
	f.Boot[1].Image = nil // it has a function
	require.Equal(t, &iso9660.FileSystem{
		Tree: l.Trees[0], VolumeID: "INSTALL", Level: iso9660.Level1, NoRockRidge: true, Joliet: true, MapNames: true, Drop: true,
		Boot:   []iso9660.BootEntry{{Path: "boot.bin", InfoTable: true, GRUB: true, LoadSectors: 8}, {Platform: iso9660.UEFI}},
		Hybrid: &iso9660.Hybrid{BootCode: []byte("code")},
	}, f)
}

func TestISO9660Errors(t *testing.T) {
	for _, tc := range []struct{ old, text, want string }{
		{"level: 1", "level: 4", `disk.yaml:8:14: partition 1: content: level 4: want 1, 2 or 3`},
		{"hybrid: true", "hybrid: false", `boot-code: want hybrid: true with it`},
		{"/boot.bin, info", "boot.bin, info", `boot image 1: path "boot.bin": want one that begins with a slash`},
		{"file: esp.img", "info-table: true", `boot image 2: want either path, a file in the volume, or file, one of this machine`},
		{"load-sectors: 8", "load-sectors: 65536", `load-sectors 65536: want at most 65535`},
		{"platform: uefi", "platform: efi", `platform "efi": want bios, uefi, powerpc or mac`},
	} {
		_, err := spec.Parse("disk.yaml", strings.NewReader(strings.Replace(isoSpec, tc.old, tc.text, 1)), "")
		require.ErrorContains(t, err, tc.want)
	}
}

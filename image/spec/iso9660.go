package spec

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/iso9660"
	"github.com/drivebay/drivebay/image/volume"
)

// BootImage describes a boot image of an ISO 9660: a file in it (Path), or one of
// the building machine that gets a place of its own (File).
type BootImage struct {
	Platform    iso9660.Platform `yaml:"platform"`
	Path        string           `yaml:"path"`
	File        string           `yaml:"file"`
	InfoTable   bool             `yaml:"info-table"`
	GRUB        bool             `yaml:"grub"`
	LoadSectors int              `yaml:"load-sectors"`

	place
}

// parsePlatform takes the name of a platform.
func parsePlatform(text string) (iso9660.Platform, error) {
	for _, p := range []iso9660.Platform{iso9660.BIOS, iso9660.PowerPC, iso9660.Mac, iso9660.UEFI} {
		if text == strings.ToLower(p.String()) {
			return p, nil
		}
	}
	return 0, errors.New("want bios, uefi, powerpc or mac")
}

// checkBoot refuses what a boot image cannot be.
func (d *decoder) checkBoot(b *BootImage) {
	switch {
	case (b.Path == "") == (b.File == ""):
		d.failAt(b.begin, errors.New("want either path, a file in the volume, or file, one of this machine"))
	case b.Path != "" && !strings.HasPrefix(b.Path, "/"):
		d.failAt(b.of("path"), fmt.Errorf("path %q: want one that begins with a slash", b.Path))
	case b.LoadSectors > math.MaxUint16:
		d.failAt(b.of("load-sectors"), fmt.Errorf("load-sectors %d: want at most %d", b.LoadSectors, math.MaxUint16))
	}
}

// checkISO9660 refuses what of an ISO 9660 makes no sense.
func (d *decoder) checkISO9660(c *Content) {
	if c.Level > int(iso9660.Level3) {
		d.failAt(c.of("level"), fmt.Errorf("level %d: want 1, 2 or 3", c.Level))
	}
	if c.BootCode != "" && !c.Hybrid {
		d.failAt(c.of("boot-code"), errors.New("boot-code: want hybrid: true with it"))
	}
	for i := range c.Boot {
		d.within(fmt.Sprintf("boot image %d", i+1), func() { d.checkBoot(&c.Boot[i]) })
	}
}

// isoContent makes an ISO 9660.
func isoContent(s *Spec, c *Content, files *filetree.Tree) (volume.Content, error) {
	f := &iso9660.FileSystem{
		Tree: files, VolumeID: c.Label, Level: iso9660.Level(c.Level), Joliet: c.Joliet,
		NoRockRidge: c.has("rock-ridge") && !c.RockRidge, MapNames: c.MapNames, Drop: c.DropUnsupported,
	}
	for _, b := range c.Boot {
		e := iso9660.BootEntry{
			Platform: b.Platform, Path: strings.TrimPrefix(b.Path, "/"), InfoTable: b.InfoTable, GRUB: b.GRUB, LoadSectors: uint16(b.LoadSectors),
		}
		if b.File != "" {
			raw, err := image.RawFile(s.path(b.File))
			if err != nil {
				return nil, err
			}
			e.Image = raw
		}
		f.Boot = append(f.Boot, e)
	}
	if c.Hybrid {
		f.Hybrid = &iso9660.Hybrid{}
	}
	if c.BootCode != "" {
		var err error
		f.Hybrid.BootCode, err = os.ReadFile(s.path(c.BootCode))
		return f, err
	}
	return f, nil
}

package spec

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/mkfs"
	"github.com/drivebay/drivebay/image/squashfs"
	"github.com/drivebay/drivebay/image/swap"
	"github.com/drivebay/drivebay/image/volume"
)

// format is what a content may be.
type format struct {
	// keys are those that it has besides format.
	keys []string
	// content makes it, with the files of the content.
	content func(s *Spec, c *Content, files *filetree.Tree) (volume.Content, error)
}

// formats are the formats by the names that the kernel, or blkid, has for them.
// What is to be written by another package is entered here, and in doc.go.
var formats = map[string]format{
	"vfat": {
		keys: []string{"label", "volume-id", "files", "fat-type", "cluster-size", "drop-unsupported"},
		content: func(_ *Spec, c *Content, files *filetree.Tree) (volume.Content, error) {
			cluster, err := asInt("cluster-size", c.ClusterSize)
			return &fat.FileSystem{
				Tree: files, Label: c.Label, ID: uint32(c.VolumeID), Type: fat.Type(c.FATType),
				ClusterSize: cluster, Drop: c.DropUnsupported,
			}, err
		},
	},
	"ext4": {
		keys: []string{"label", "uuid", "files", "block-size", "inodes", "journal", "reserved"},
		content: func(_ *Spec, c *Content, files *filetree.Tree) (volume.Content, error) {
			block, err := asInt("block-size", c.BlockSize)
			return &ext4.FileSystem{
				Tree: files, Label: c.Label, UUID: c.UUID, BlockSize: block, Inodes: c.Inodes,
				JournalSize: int64(c.Journal), ReservedPercent: int(c.Reserved),
			}, err
		},
	},
	"raw": {
		keys: []string{"file"},
		content: func(s *Spec, c *Content, _ *filetree.Tree) (volume.Content, error) {
			return image.RawFile(s.path(c.File))
		},
	},
	"grub-core": {
		keys: []string{"file"},
		content: func(s *Spec, c *Content, _ *filetree.Tree) (volume.Content, error) {
			return grubCore(s, c.File)
		},
	},
	"swap": {
		keys: []string{"label", "uuid", "page-size"},
		content: func(_ *Spec, c *Content, _ *filetree.Tree) (volume.Content, error) {
			page, err := asInt("page-size", c.PageSize)
			return &swap.Space{Label: c.Label, UUID: c.UUID, PageSize: page}, err
		},
	},
	"xfs":   mkfsFormat(mkfs.XFS),
	"btrfs": mkfsFormat(mkfs.Btrfs),
	"exfat": {
		keys: []string{"label", "volume-id", "options"},
		content: func(_ *Spec, c *Content, _ *filetree.Tree) (volume.Content, error) {
			fs := &mkfs.FileSystem{Type: mkfs.ExFAT, Label: c.Label, Options: c.Options}
			binary.BigEndian.PutUint32(fs.UUID[:], uint32(c.VolumeID)) // its serial number is the first four bytes
			return fs, nil
		},
	},
	"squashfs": {
		keys: []string{"files", "block-size", "drop-unsupported", "compression", "level", "tails"},
		content: func(_ *Spec, c *Content, files *filetree.Tree) (volume.Content, error) {
			block, err := asInt("block-size", c.BlockSize)
			return &squashfs.FileSystem{
				Tree: files, BlockSize: block, Drop: c.DropUnsupported, Compression: c.Compression, Level: c.Level, Tails: c.Tails,
			}, err
		},
	},
	"erofs": {
		keys: []string{"label", "uuid", "files", "block-size", "deduplicate"},
		content: func(_ *Spec, c *Content, files *filetree.Tree) (volume.Content, error) {
			block, err := asInt("block-size", c.BlockSize)
			return &erofs.FileSystem{Tree: files, Label: c.Label, UUID: c.UUID, BlockSize: block, Deduplicate: c.Deduplicate}, err
		},
	},
	"iso9660": {
		keys:    []string{"label", "files", "drop-unsupported", "level", "joliet", "rock-ridge", "map-names", "boot", "hybrid", "boot-code"},
		content: isoContent,
	},
	"verity":           {keys: []string{"of", "uuid", "algorithm", "data-block-size", "hash-block-size", "salt"}, content: verityContent},
	"verity-signature": {keys: []string{"of", "key", "certificate"}, content: signatureContent},
}

// mkfsFormat is a format that a program of the distribution writes.
func mkfsFormat(t mkfs.Type) format {
	return format{
		keys: []string{"label", "uuid", "files", "drop-unsupported", "options"},
		content: func(_ *Spec, c *Content, files *filetree.Tree) (volume.Content, error) {
			return &mkfs.FileSystem{Type: t, Tree: files, Label: c.Label, UUID: c.UUID, Options: c.Options, Drop: c.DropUnsupported}, nil
		},
	}
}

// formatNames returns the names of the formats.
func formatNames() []string { return slices.Sorted(maps.Keys(formats)) }

// asInt returns a size that is small where it makes any sense.
func asInt(key string, n Size) (int, error) {
	if n > 1<<30 {
		return 0, fmt.Errorf("%s %d: want at most 1 GiB", key, n)
	}
	return int(n), nil
}

package repart

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/mkfs"
	"github.com/drivebay/drivebay/image/squashfs"
	"github.com/drivebay/drivebay/image/swap"
	"github.com/drivebay/drivebay/image/volume"
)

// format is what a partition may hold.
type format struct {
	files    bool  // it can hold some
	readOnly bool  // it is as large as its files need
	minSize  int64 // what systemd takes for the smallest one, 0 where it knows none
	content  func(p *partition, id uuid.UUID) volume.Content
}

// formats are the formats by the names that Format has for them, made as
// systemd-repart lets mkfs make them (src/shared/mkfs-util.c).
var formats = map[string]format{
	"ext4": {
		files: true, minSize: 1 << 20,
		content: func(p *partition, id uuid.UUID) volume.Content {
			return &ext4.FileSystem{Tree: p.tree, Label: cutLabel(p.label, 16), UUID: id, ReservedPercent: ext4.None}
		},
	},
	"vfat": {
		files: true,
		content: func(p *partition, id uuid.UUID) volume.Content {
			return fat32{fat.FileSystem{Tree: p.tree, Label: fatLabel(p.label), ID: binary.BigEndian.Uint32(id[:]), Drop: true}}
		},
	},
	"squashfs": {
		files: true, readOnly: true,
		content: func(p *partition, _ uuid.UUID) volume.Content {
			return &squashfs.FileSystem{Tree: p.tree, Compression: p.Compression, Level: p.CompressionLevel}
		},
	},
	"erofs": {
		files: true, readOnly: true,
		content: func(p *partition, id uuid.UUID) volume.Content {
			return &erofs.FileSystem{Tree: p.tree, Label: cutLabel(p.label, 15), UUID: id}
		},
	},
	"swap": {
		content: func(p *partition, id uuid.UUID) volume.Content {
			return &swap.Space{Label: cutLabel(p.label, 15), UUID: id}
		},
	},
	"xfs": {
		files: true, minSize: 14 << 20,
		content: func(p *partition, id uuid.UUID) volume.Content {
			return &mkfs.FileSystem{Type: mkfs.XFS, Tree: p.tree, Label: cutLabel(p.label, 12), UUID: id}
		},
	},
	"btrfs": {
		files: true, minSize: 256 << 20,
		content: func(p *partition, id uuid.UUID) volume.Content {
			return &mkfs.FileSystem{Type: mkfs.Btrfs, Tree: p.tree, Label: p.label, UUID: id, Subvolumes: p.subvolumes()}
		},
	},
	"exfat": {
		content: func(p *partition, id uuid.UUID) volume.Content {
			return &mkfs.FileSystem{Type: mkfs.ExFAT, Label: cutLabel(p.label, 11), UUID: id}
		},
	},
}

// subvolumes returns the paths of the subvolumes as a tree has them, without its
// root, which is one anyhow.
func (d *Definition) subvolumes() (list []string) {
	for _, name := range d.Subvolumes {
		if name != "/" {
			list = append(list, strings.TrimPrefix(name, "/"))
		}
	}
	return list
}

// formatNames returns the names of the formats.
func formatNames() []string { return slices.Sorted(maps.Keys(formats)) }

// cutLabel returns as much of a label as a format holds, in whole characters.
func cutLabel(label string, size int) string {
	for len(label) > size {
		_, n := utf8.DecodeLastRuneInString(label)
		label = label[:len(label)-n]
	}
	return label
}

// fatLabel makes a FAT's label of a partition's: of capitals, with an underscore
// for what a FAT cannot hold.
func fatLabel(label string) string {
	label = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`*?.,;:/\|+=<>[]"`, r) {
			return '_'
		}
		return r
	}, label)
	return strings.ToUpper(label[:min(len(label), 11)])
}

// fat32 is a FAT32 where the volume is large enough for one to be told from a
// FAT16 by its size, which is how drivers tell them (systemd has mkfs.fat make
// a FAT32 in any case).
type fat32 struct{ fat.FileSystem }

// Plan implements [volume.Content].
func (f fat32) Plan(ctx context.Context, g volume.Geometry) (volume.Plan, error) {
	if g.Size != 0 {
		large := f.FileSystem
		large.Type = fat.FAT32
		p, err := large.Plan(ctx, g)
		if short := (*volume.SizeError)(nil); !errors.As(err, &short) {
			return p, err
		}
	}
	return f.FileSystem.Plan(ctx, g)
}

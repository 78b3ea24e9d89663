package repart

import (
	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/squashfs"
)

// Definition is a partition as its file, with its drop-ins, describes it.
// Specifiers are expanded, sizes are in bytes.
type Definition struct {
	// File is the path of the definition, and DropIns those of its drop-ins.
	File    string
	DropIns []string

	// Type is the partition's type, by its name where it has one.
	Type image.Type
	// Label is its name. Where HasLabel is false, it is made of the type's.
	Label    string
	HasLabel bool
	// UUID is its GUID. Zero is derived from the seed.
	UUID uuid.UUID
	// Priority tells which partitions are left out of a disk that is too small:
	// those with the highest, of those above 0.
	Priority int32
	// Weight and PaddingWeight are the shares of the partition, and of the gap
	// behind it, in what there is of the disk.
	Weight, PaddingWeight int64
	// SizeMin, SizeMax, PaddingMin and PaddingMax bound them, in bytes: multiples
	// of 4096. -1 is not given.
	SizeMin, SizeMax       int64
	PaddingMin, PaddingMax int64

	// Format is what the partition holds, "" for nothing or CopyBlocks.
	Format string
	// CopyBlocks is the file that is copied into it.
	CopyBlocks string
	// CopyFiles are the files that are copied into its file system.
	CopyFiles []CopyFiles
	// ExcludeFiles and ExcludeFilesTarget are paths, in the sources and in the
	// file system, of what is not copied.
	ExcludeFiles, ExcludeFilesTarget []string
	// MakeDirectories are directories that are made where they are missing.
	MakeDirectories []string
	// MakeSymlinks are symbolic links that are made.
	MakeSymlinks []MakeSymlink
	// Subvolumes are directories that are to be subvolumes, where the format has
	// any.
	Subvolumes []string
	// Compression and CompressionLevel tell how a squashfs is compressed.
	Compression      squashfs.Compression
	CompressionLevel int
	// Minimize tells how the minimum of the size comes from the content.
	Minimize Minimize

	// Verity and VerityMatchKey tell the partition's part in a dm-verity volume.
	Verity         Verity
	VerityMatchKey string

	// Attributes are the flags that come of Flags, NoAuto, ReadOnly and
	// GrowFileSystem.
	Attributes image.Attributes
	// SplitName is what the file is called that the partition is split off to,
	// with specifiers: "" for no such file.
	SplitName string

	places                    map[string]Place // of the last setting of each key
	flags                     uint64
	noAuto, readOnly, growing *bool
}

// CopyFiles is a file or directory to be copied.
type CopyFiles struct {
	Source, Target string
	Place          Place
}

// MakeSymlink is a symbolic link to be made.
type MakeSymlink struct {
	Path, Target string
	Place        Place
}

// Minimize tells how the minimum of a partition's size comes from its content.
type Minimize string

// The values of Minimize.
const (
	MinimizeOff   Minimize = "off"
	MinimizeBest  Minimize = "best"  // it is exactly what the content needs
	MinimizeGuess Minimize = "guess" // it is at least that
)

// Verity is the part of a partition in a dm-verity volume.
type Verity string

// The values of Verity.
const (
	VerityOff       Verity = "off"
	VerityData      Verity = "data"
	VerityHash      Verity = "hash"
	VeritySignature Verity = "signature"
)

// newDefinition returns a definition without settings.
func newDefinition(file string) *Definition {
	return &Definition{
		File: file, Type: image.LinuxGeneric, Weight: 1000, SplitName: "%t",
		SizeMin: -1, SizeMax: -1, PaddingMin: -1, PaddingMax: -1,
		Minimize: MinimizeOff, Verity: VerityOff,
		places: map[string]Place{},
	}
}

// place returns where a key is set, or the first of several: the definition itself
// where none is.
func (d *Definition) place(keys ...string) Place {
	for _, key := range keys {
		if at, ok := d.places[key]; ok {
			return at
		}
	}
	return Place{File: d.File}
}

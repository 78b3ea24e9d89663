package mkfs

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// Type is a type of file system, by the name under which the kernel mounts it.
type Type string

// The types of file systems that the distribution's programs make.
const (
	XFS   Type = "xfs"
	Btrfs Type = "btrfs"
	ExFAT Type = "exfat"
)

// FileSystem describes a file system to be made by mkfs.
type FileSystem struct {
	// Type is the type of the file system. It has to be given.
	Type Type
	// Tree is what the file system is to hold. nil is nothing, all that exFAT
	// can have.
	Tree *filetree.Tree
	// Label is the volume's label, "" for none: at most 12 bytes for XFS, 255 for
	// btrfs, 11 UTF-16 code units for exFAT.
	Label string
	// UUID identifies the volume. Zero is one derived from the geometry's seed.
	// exFAT has a serial number in its place, the first four bytes.
	UUID uuid.UUID
	// Subvolumes are the paths of directories of Tree, as it has them, that are to
	// be subvolumes. btrfs has some, where mkfs.btrfs can make them (--subvol).
	Subvolumes []string
	// Options are further arguments for the program, as its manual has them.
	Options []string
	// Drop leaves out what mkfs cannot make, and lists it in Info.Dropped. Else
	// it is refused with an [ErrUnsupported]. See the package's documentation.
	Drop bool
}

const mib = 1 << 20

// Plan looks for the program and checks what it is to do. It implements
// [volume.Content].
//
// A Size of 0 gives a volume that is as small as is likely to do: how much room
// a tree takes is the program's decision, which is known when it has run. A
// volume that turns out to be too small is an error of writing it.
func (f *FileSystem) Plan(ctx context.Context, g volume.Geometry) (volume.Plan, error) {
	k, ok := kinds[f.Type]
	if !ok {
		return nil, fmt.Errorf("file system of type %q: %w: want xfs, btrfs or exfat", f.Type, ErrOption)
	}
	if err := f.check(k, g); err != nil {
		return nil, err
	}
	p := &plan{fs: f, kind: k, tree: f.Tree, uuid: f.UUID, sectorSize: g.SectorSize, size: g.Size, time: g.Time}
	if p.uuid == uuid.Nil {
		p.uuid = g.Derive("filesystem")
	}
	if p.tree != nil {
		if err := p.scan(); err != nil {
			return nil, err
		}
		if k.check != nil {
			if err := k.check(p); err != nil {
				return nil, err
			}
		}
	}
	if err := p.fit(); err != nil {
		return nil, err
	}
	if err := p.findPrograms(); err != nil {
		return nil, err
	}
	if err := p.checkSubvolumes(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

var _ volume.Content = (*FileSystem)(nil)

// check refuses options that are out of range.
func (f *FileSystem) check(k *kind, g volume.Geometry) error {
	switch {
	case g.Size < 0:
		return fmt.Errorf("%s: size of %d bytes: %w: want 0 or more", f.Type, g.Size, ErrOption)
	case strings.Contains(f.Label, "\x00"), k.labelLen(f.Label) > k.maxLabel:
		return fmt.Errorf("%s: label %q: %w: want at most %d %s, and no NUL", f.Type, f.Label, ErrOption, k.maxLabel, k.labelUnit)
	case g.SectorSize != 512 && k.only512:
		return fmt.Errorf("%s: sector size of %d bytes: %w: %s takes a file for a disk of 512", f.Type, g.SectorSize, ErrOption, k.programs[0])
	case f.Tree != nil && k.loss == nil:
		return fmt.Errorf("%s: a tree of %d files: %w: %s makes empty file systems only", f.Type, f.Tree.Len(), ErrUnsupported, k.programs[0])
	}
	return nil
}

// plan is a file system of which it is known how to make it.
type plan struct {
	fs         *FileSystem
	kind       *kind
	tree       *filetree.Tree // nil: nothing
	uuid       uuid.UUID
	sectorSize int
	size       int64
	time       time.Time
	programs   []string // the paths of the kind's
	census
}

// fit settles the size.
func (p *plan) fit() error {
	need := p.kind.minSize
	if p.tree != nil {
		need = (p.kind.need(&p.census) + mib - 1) / mib * mib
	}
	switch least := max(p.kind.minSize, p.bytes); {
	case p.size == 0:
		p.size = need
	case p.size < least:
		return &volume.SizeError{Format: string(p.fs.Type), Size: p.size, Need: need, Resource: "bytes"}
	}
	p.used = min(p.size, need)
	return nil
}

// findPrograms finds the programs, the system's among them, which the PATH of an
// ordinary user does not name.
func (p *plan) findPrograms() error {
	for _, name := range p.kind.programs {
		path, err := exec.LookPath(name)
		for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
			if err != nil {
				path, err = exec.LookPath(dir + name)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: program %s: %w: Debian has it in the package %s", p.fs.Type, name, ErrNotInstalled, p.kind.pkg)
		}
		p.programs = append(p.programs, path)
	}
	return nil
}

// Info implements [volume.Plan]. What it calls used is an estimate.
func (p *plan) Info() volume.Info {
	return volume.Info{
		Format: string(p.fs.Type), Label: p.fs.Label, UUID: p.kind.id(p.uuid),
		Size: p.size, Used: p.used, Files: p.files, Dropped: p.dropped,
		Varies: p.kind.varies,
	}
}

// Write implements [volume.Plan].
func (p *plan) Write(ctx context.Context, w *volume.Writer) error {
	if err := p.write(ctx, w); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx) // and not that a program was killed
		}
		return fmt.Errorf("%s: %w", p.fs.Type, err)
	}
	return nil
}

package repart

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/volume"
)

// Options are what systemd-repart takes from its command line. The zero value will
// do.
type Options struct {
	// Seed is what UUIDs are derived from, as systemd-repart derives them from its
	// --seed. Zero is one that is made of the definitions: the same for the same
	// ones.
	Seed uuid.UUID
	// Size is the size of the disk in bytes. Zero is as small as the partitions
	// allow, as --size=auto has it.
	Size int64
	// SectorSize is the disk's, 512 or 4096. Zero is 512.
	SectorSize int
	// Root is the directory that the paths of CopyFiles, ExcludeFiles and
	// CopyBlocks are below, and that specifiers tell of. "" is this machine.
	Root string
	// PrivateKey and Certificate are the files, in PEM, of the key that root hashes
	// are signed with (Verity=signature) and of its certificate.
	PrivateKey, Certificate string
}

// Definitions are the partitions of a disk.
type Definitions struct {
	// Dir is the directory that they were read from.
	Dir string
	// Partitions are in the order of the disk, which is that of the names of
	// their files.
	Partitions []*Definition

	options Options
}

// Load reads the definitions in a directory: the files whose names end in .conf,
// and of each the drop-ins in a directory of its name with .d behind it, all in the
// order of their names. As systemd has it, a hidden file is none, and neither is an
// empty one, or a link to /dev/null, by which a definition is masked. What is wrong
// is told by errors of type [*Error], all of them joined.
func Load(dir string, o Options) (*Definitions, error) {
	files, err := confFiles(dir)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, Place{File: dir}.failf("no definitions: want files such as 10-root.conf")
	}
	defs := &Definitions{Dir: dir, options: o}
	spec := &specifiers{root: o.Root}
	seed := sha256.New()
	var errs []error
	for _, name := range files {
		r := &reader{newDefinition(name), spec}
		errs = append(errs, r.load(func(s setting) {
			fmt.Fprintf(seed, "%s %s %q\n", filepath.Base(name), s.key, s.value)
		}))
		defs.Partitions = append(defs.Partitions, r.d)
	}
	errs = append(errs, checkSiblings(defs.Partitions)...)
	if defs.options.Seed == uuid.Nil {
		defs.options.Seed = volume.Derive(uuid.Nil, string(seed.Sum(nil)))
	}
	return defs, errors.Join(errs...)
}

// load reads the file of a definition, its drop-ins, and checks what has come
// together. It shows every setting.
func (r *reader) load(show func(setting)) error {
	dropIns, err := confFiles(r.d.File + ".d")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.d.DropIns = dropIns
	var errs []error
	for _, name := range append([]string{r.d.File}, dropIns...) {
		list, err := readUnit(name)
		if err != nil {
			errs = append(errs, err)
		}
		for _, s := range list {
			show(s)
		}
		errs = append(errs, r.read(list)...)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return r.d.check()
}

// confFiles returns the paths of the configuration files in a directory
// (systemd's src/basic/conf-files.c).
func confFiles(dir string) (list []string, err error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".conf") || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		name := filepath.Join(dir, e.Name())
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() && info.Size() > 0 {
			list = append(list, name)
		}
	}
	return list, nil
}

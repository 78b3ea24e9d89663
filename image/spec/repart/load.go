package repart

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
	// Dirs are the directories that they were read from.
	Dirs []string
	// Partitions are in the order of the disk, which is that of the names of
	// their files.
	Partitions []*Definition

	options Options
}

// at returns the place of what is wrong with all of them together.
func (d *Definitions) at() Place { return Place{File: strings.Join(d.Dirs, ", ")} }

// Load reads the definitions in directories: the files whose names end in .conf,
// and of each the drop-ins in directories of its name with .d behind it, all in the
// order of their names. As systemd has it, of files of one name the one in the first
// of the directories counts, a hidden file is none, and neither is an empty one, or
// a link to /dev/null, by which a definition is masked, in the directories behind it
// as well. What is wrong is told by errors of type [*Error], all of them joined.
func Load(dirs []string, o Options) (*Definitions, error) {
	if len(dirs) == 0 {
		return nil, errors.New("no directory of definitions: want at least one")
	}
	files, err := confFiles(dirs)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, Place{File: strings.Join(dirs, ", ")}.failf("no definitions: want files such as 10-root.conf")
	}
	defs := &Definitions{Dirs: dirs, options: o}
	spec := &specifiers{root: o.Root}
	seed := sha256.New()
	var errs []error
	for _, name := range files {
		r := &reader{newDefinition(name), spec}
		errs = append(errs, r.load(dirs, func(s setting) {
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

// load reads the file of a definition, its drop-ins in all directories, and checks
// what has come together. It shows every setting.
func (r *reader) load(dirs []string, show func(setting)) error {
	var dropInDirs []string
	for _, dir := range dirs {
		dropInDir := filepath.Join(dir, filepath.Base(r.d.File)+".d")
		if _, err := os.Stat(dropInDir); !errors.Is(err, fs.ErrNotExist) {
			dropInDirs = append(dropInDirs, dropInDir)
		}
	}
	dropIns, err := confFiles(dropInDirs)
	if err != nil {
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

// confFiles returns the paths of the configuration files in directories, in the
// order of their names. One that is in a directory hides those of its name in the
// directories behind, also if it is empty (systemd's src/basic/conf-files.c).
func confFiles(dirs []string) (list []string, err error) {
	seen := map[string]bool{}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".conf") || strings.HasPrefix(e.Name(), ".") || seen[e.Name()] {
				continue
			}
			name := filepath.Join(dir, e.Name())
			info, err := os.Stat(name)
			if err != nil {
				return nil, err
			}
			if seen[e.Name()] = !info.IsDir(); info.Mode().IsRegular() && info.Size() > 0 {
				list = append(list, name)
			}
		}
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Compare(filepath.Base(a), filepath.Base(b)) })
	return list, nil
}

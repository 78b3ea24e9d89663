package guest

import (
	"bufio"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// libraries finds the shared libraries of programs as the dynamic loader does:
// ld.so(8).
type libraries struct {
	arch arch
	dirs []string // where libraries are looked for
}

func newLibraries(a arch) *libraries {
	l := &libraries{arch: a}
	l.dirs = append(l.dirs, filepath.SplitList(os.Getenv("LD_LIBRARY_PATH"))...)
	l.dirs = append(l.dirs, configuredDirs("/etc/ld.so.conf")...)
	// Every loader searches these; others only if the guest's environment names them.
	l.dirs = append(l.dirs, "/lib/"+a.triplet, "/usr/lib/"+a.triplet, "/lib64", "/usr/lib64", "/lib", "/usr/lib")
	return l
}

// configuredDirs returns the directories that a loader's configuration names.
func configuredDirs(path string) (dirs []string) {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		line, _, _ := strings.Cut(s.Text(), "#")
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "include":
			files, _ := filepath.Glob(words[1])
			for _, file := range files {
				dirs = append(dirs, configuredDirs(file)...)
			}
		case len(words) == 1:
			dirs = append(dirs, words[0])
		}
	}
	return dirs
}

// of returns the paths of the loader and of all libraries that an executable
// needs; none if it is static. An executable that no kernel of the architecture can
// run is a *[ProgramError].
func (l *libraries) of(path string) ([]string, error) {
	f, err := openELF(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !l.arch.runs(f) {
		return nil, &ProgramError{Path: path, Reason: fmt.Sprintf(
			"it is for %v, the guest is %s with Linux: build it with GOOS=linux GOARCH=%[2]s", f.Machine, l.arch.name)}
	}
	loader, err := interpreter(f)
	if err != nil {
		return nil, &ProgramError{Path: path, Reason: "its loader cannot be read", Err: err}
	}
	if loader == "" {
		return nil, nil
	}
	found := []string{loader}
	if err := l.needs(path, f, &found); err != nil {
		return nil, &ProgramError{Path: path, Err: err,
			Reason: "it is linked dynamically, and not all of its libraries are here: build it with CGO_ENABLED=0"}
	}
	return found, nil
}

// openELF opens an executable; what is none is a *[ProgramError].
func openELF(path string) (*elf.File, error) {
	f, err := elf.Open(path)
	if err == nil {
		return f, nil
	}
	var format *elf.FormatError
	if errors.As(err, &format) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, &ProgramError{Path: path, Reason: "it is no ELF executable"}
	}
	return nil, &ProgramError{Path: path, Reason: "it cannot be read", Err: err}
}

// needs adds the libraries that a file needs, and what they need.
func (l *libraries) needs(path string, f *elf.File, found *[]string) error {
	names, err := f.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, name := range names {
		library, err := l.find(name, path, f)
		if err != nil {
			return err
		}
		if slices.Contains(*found, library) {
			continue
		}
		*found = append(*found, library)
		lf, err := elf.Open(library)
		if err != nil {
			return err
		}
		err = l.needs(library, lf, found)
		if err = errors.Join(err, lf.Close()); err != nil {
			return err
		}
	}
	return nil
}

// find returns the path of a library that a file needs.
func (l *libraries) find(name, path string, f *elf.File) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	dirs := l.dirs
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		values, _ := f.DynString(tag)
		for _, value := range values {
			value = strings.NewReplacer("$ORIGIN", filepath.Dir(path), "${ORIGIN}", filepath.Dir(path)).Replace(value)
			dirs = append(filepath.SplitList(value), dirs...)
		}
	}
	for _, dir := range dirs {
		library := filepath.Join(dir, name)
		lf, err := elf.Open(library)
		if err != nil {
			continue
		}
		same := lf.Machine == f.Machine
		if err := lf.Close(); err == nil && same {
			return library, nil
		}
	}
	return "", fmt.Errorf("library %s: %w", name, fs.ErrNotExist)
}

// interpreter returns the loader that an executable asks for, "" if none.
func interpreter(f *elf.File) (string, error) {
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		if p.Filesz > 4096 {
			return "", fmt.Errorf("its name has %d bytes", p.Filesz)
		}
		name := make([]byte, p.Filesz)
		if _, err := p.ReadAt(name, 0); err != nil {
			return "", err
		}
		return strings.TrimRight(string(name), "\x00"), nil
	}
	return "", nil
}

// loadedSize returns the number of bytes at the head of an executable that a
// kernel loads. What follows them, a third of a Go program, are symbols and line
// numbers for a debugger.
func loadedSize(path string) (int64, error) {
	f, err := elf.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var size int64
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			size = max(size, int64(p.Off+p.Filesz))
		}
	}
	return size, nil
}

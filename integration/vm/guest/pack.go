package guest

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/drivebay/drivebay/integration/vm/initramfs"
	"github.com/drivebay/drivebay/integration/vm/kernel"
)

// packer makes the archive of a guest.
type packer struct {
	archive   initramfs.Archive
	libraries *libraries
	job       job
}

// Pack returns the archive that a guest boots with to run the program. The calling
// program becomes its init and has to call [Main], if [Program.Init] names no other.
func Pack(p Program) (*initramfs.Archive, error) {
	k := &packer{libraries: newLibraries(archOf(p.Kernel.Arch))}
	if err := k.pack(p); err != nil {
		return nil, fmt.Errorf("pack guest: %w", err)
	}
	return &k.archive, nil
}

func (k *packer) pack(p Program) error {
	if err := k.skeleton(); err != nil {
		return err
	}
	if err := k.init(p); err != nil {
		return err
	}
	if err := k.program(p); err != nil {
		return err
	}
	for _, path := range p.Files {
		if err := k.tree(path); err != nil {
			return err
		}
	}
	for _, name := range p.Tools {
		if err := k.tool(name); err != nil {
			return err
		}
	}
	if p.Udev {
		if err := k.udev(); err != nil {
			return err
		}
	}
	if err := k.modules(p); err != nil {
		return err
	}
	return k.describe(p)
}

// skeleton adds what a Unix program expects to find.
func (k *packer) skeleton() error {
	directories := []string{"dev", "proc", "sys", "run", "mnt", "root", "etc", "var/lib", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64"}
	for _, dir := range directories {
		if err := k.archive.Add(dir, initramfs.Entry{Mode: fs.ModeDir | 0o755}); err != nil {
			return err
		}
	}
	for _, dir := range []string{"tmp", "var/tmp"} {
		if err := k.archive.Add(dir, initramfs.Entry{Mode: fs.ModeDir | fs.ModeSticky | 0o777}); err != nil {
			return err
		}
	}
	for _, dir := range mergedDirs {
		if err := k.archive.Add(dir, link("usr/"+dir)); err != nil {
			return err
		}
	}
	for name, e := range map[string]initramfs.Entry{
		"etc/passwd":     {Mode: 0o644, Data: []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")},
		"etc/group":      {Mode: 0o644, Data: []byte("root:x:0:\ndisk:x:6:\nnogroup:x:65534:\n")},
		"etc/hosts":      {Mode: 0o644, Data: []byte("127.0.0.1 localhost\n::1 localhost\n")},
		"etc/mtab":       link("/proc/self/mounts"),
		"etc/machine-id": {Mode: 0o444, Data: []byte("d71eba7d71eba7d71eba7d71eba7d71e\n")},
		"dev/console":    {Mode: fs.ModeDevice | fs.ModeCharDevice | 0o600, Major: 5, Minor: 1},
		"dev/null":       {Mode: fs.ModeDevice | fs.ModeCharDevice | 0o666, Major: 1, Minor: 3},
	} {
		if err := k.archive.Add(name, e); err != nil {
			return err
		}
	}
	return nil
}

func link(target string) initramfs.Entry {
	return initramfs.Entry{Mode: fs.ModeSymlink | 0o777, Data: []byte(target)}
}

// mergedDirs are links into /usr in the guest, whatever they are on the host.
var mergedDirs = []string{"bin", "sbin", "lib", "lib32", "lib64"}

// nameOf returns the archive's name for a path of the host.
func nameOf(path string) string {
	name := strings.TrimPrefix(filepath.Clean(path), "/")
	top, _, _ := strings.Cut(name, "/")
	if slices.Contains(mergedDirs, top) {
		name = "usr/" + name
	}
	return name
}

// file adds a file of the host under its own path, or that of name, following
// links. A second time it does nothing.
func (k *packer) file(path, name string) error {
	if k.archive.Has(name) {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", path)
	}
	return k.archive.Add(name, initramfs.Entry{
		Mode: info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid), Size: info.Size(),
		Open: func() (io.ReadCloser, error) { return os.Open(path) },
	})
}

// executable adds a program and its libraries.
func (k *packer) executable(path, name string) error {
	needed, err := k.libraries.of(path)
	if err != nil {
		return err
	}
	if err := k.file(path, name); err != nil {
		return &ProgramError{Path: path, Reason: "it cannot be packed", Err: err}
	}
	for _, library := range needed {
		if err := k.file(library, nameOf(library)); err != nil {
			return &ProgramError{Path: path, Reason: "its libraries cannot be packed", Err: err}
		}
	}
	return nil
}

// init adds the guest's init.
func (k *packer) init(p Program) error {
	// Not os.Executable: the file may have been replaced or removed since.
	path := cmp.Or(p.Init, "/proc/self/exe")
	if p.Init == "" && !called {
		return errors.New("this program cannot be a guest's init: its main does not call guest.Main")
	}
	needed, err := k.libraries.of(path)
	if err != nil {
		return err
	}
	for _, library := range needed {
		if err := k.file(library, nameOf(library)); err != nil {
			return err
		}
	}
	size, err := loadedSize(path)
	if err != nil {
		return err
	}
	return k.archive.Add("init", initramfs.Entry{Mode: 0o755, Size: size, Open: func() (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		return headReader{io.LimitReader(f, size), f}, nil
	}})
}

// headReader reads the head of a file.
type headReader struct {
	io.Reader
	io.Closer
}

func (k *packer) program(p Program) error {
	if err := k.executable(p.Path, nameOf(p.Path)); err != nil {
		return err
	}
	for _, dir := range []string{p.Dir, filepath.Dir(p.Path)} {
		if err := k.directory(dir); err != nil {
			return err
		}
	}
	for _, path := range p.Collect {
		if err := k.directory(filepath.Dir(path)); err != nil {
			return err
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			if err := k.tree(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// directory adds a directory and those above it.
func (k *packer) directory(path string) error {
	name := nameOf(path)
	if name == "" || name == "." || k.archive.Has(name) {
		return nil
	}
	return k.archive.Add(name, initramfs.Entry{Mode: fs.ModeDir | 0o755})
}

// tree adds a file or all of a directory, links as links.
func (k *packer) tree(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return k.entry(path, d.Type())
	})
}

func (k *packer) entry(path string, kind fs.FileMode) error {
	name := nameOf(path)
	switch {
	case kind.IsDir():
		return k.directory(path)
	case kind == fs.ModeSymlink:
		target, err := os.Readlink(path)
		if err != nil || k.archive.Has(name) {
			return err
		}
		return k.archive.Add(name, link(target))
	case kind.IsRegular():
		return k.file(path, name)
	}
	return nil // sockets and pipes are somebody else's
}

// tool adds a program of the host by name or path.
func (k *packer) tool(name string) error {
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
		if err != nil && !strings.Contains(name, "/") {
			path, err = exec.LookPath(dir + name)
		}
	}
	if err != nil {
		return &ProgramError{Path: name, Reason: "it is not on this machine", Err: err}
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	if shell, ok := interpreterOf(path); ok {
		if err := k.tool(shell); err != nil {
			return err
		}
		return k.file(path, nameOf(path))
	}
	return k.executable(path, nameOf(path))
}

// interpreterOf returns the program that runs a script.
func interpreterOf(path string) (string, bool) {
	f, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer f.Close()
	line, _ := bufio.NewReader(io.LimitReader(f, 256)).ReadString('\n')
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	return strings.Join(words[:min(1, len(words))], ""), strings.HasPrefix(line, "#!") && len(words) > 0
}

// modules adds the kernel's modules that are asked for and those that they need.
func (k *packer) modules(p Program) error {
	k.job.Load = p.Modules
	var names []string
	for _, spec := range p.Modules {
		fields := strings.Fields(spec)
		if len(fields) == 0 {
			return errors.New("a module has no name")
		}
		names = append(names, fields[0])
	}
	found, err := p.Kernel.Modules(names...)
	if err != nil {
		return err
	}
	for _, name := range p.OnDemand {
		more, err := p.Kernel.Modules(name)
		var missing *kernel.ModuleError
		if errors.As(err, &missing) || errors.Is(err, kernel.ErrNoModules) {
			continue
		}
		if err != nil {
			return err
		}
		found = append(found, more...)
	}
	for _, m := range found {
		name := nameOf(moduleDir) + "/" + m.Name
		if k.archive.Has(name) {
			continue
		}
		if err := k.archive.Add(name, initramfs.Entry{Mode: 0o644, Data: m.Data}); err != nil {
			return err
		}
		k.job.Modules = append(k.job.Modules, module{Name: m.Name, Aliases: m.Aliases, Needs: m.Needs})
	}
	return nil
}

// describe adds the job.
func (k *packer) describe(p Program) error {
	k.job.Path = "/" + nameOf(p.Path)
	k.job.Args = append([]string{p.Path}, p.Args...)
	k.job.Env = p.Env
	k.job.Dir = p.Dir
	k.job.Collect = p.Collect
	k.job.Mounts = p.Mounts
	k.job.Udev = p.Udev
	b, err := json.MarshalIndent(k.job, "", " ")
	if err != nil {
		return err
	}
	return k.archive.Add(nameOf(jobPath), initramfs.Entry{Mode: 0o600, Data: b})
}

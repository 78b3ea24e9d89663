package kernel

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// Kernel is a Linux kernel with its modules, as files.
type Kernel struct {
	// Release is what uname -r says under it.
	Release string

	// Arch is the architecture, as Go calls it: "amd64" or "arm64".
	Arch string

	// Image is the path of the bzImage, or of the uncompressed Image of arm64.
	Image string

	// ELF is the path of the same kernel uncompressed, which boots sooner by the
	// PVH protocol; "" where there is none.
	ELF string

	// ModuleDir is the path of lib/modules/RELEASE; "" where there is none.
	ModuleDir string

	index   func() (moduleIndex, error)
	options func() map[string]string
}

// Open returns the kernel at a path, a bzImage or an arm64 Image. Its modules are looked for in
// lib/modules and usr/lib/modules beside the image's directory, then in those of
// the machine.
func Open(image string) (*Kernel, error) {
	arch, release, err := identify(image)
	if err != nil {
		return nil, fmt.Errorf("open kernel %s: %w", image, err)
	}
	k := &Kernel{Release: release, Arch: arch, Image: image}
	dir := filepath.Dir(image)
	if elf := filepath.Join(dir, "vmlinux-"+release); isFile(elf) {
		k.ELF = elf
	}
	root := filepath.Dir(dir)
	for _, parent := range []string{root + "/lib", root + "/usr/lib", "/lib", "/usr/lib"} {
		if modules := filepath.Join(parent, "modules", release); isDir(modules) {
			k.ModuleDir = modules
			break
		}
	}
	k.index = sync.OnceValues(func() (moduleIndex, error) { return indexModules(k.ModuleDir) })
	k.options = sync.OnceValue(func() map[string]string { return readConfig(filepath.Join(dir, "config-"+release)) })
	return k, nil
}

// Host returns the kernel that this machine has installed and runs. In a container
// there is none, and on some distributions its image is root's alone.
func Host() (*Kernel, error) {
	if runtime.GOOS != "linux" {
		return nil, fmt.Errorf("host's kernel: this is %s", runtime.GOOS)
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return nil, fmt.Errorf("host's kernel: %w", err)
	}
	k, err := Open("/boot/vmlinuz-" + strings.TrimSpace(string(release)))
	if err != nil {
		return nil, fmt.Errorf("host's kernel: %w", err)
	}
	return k, nil
}

// Option returns the state of a configuration option ("CONFIG_VFAT_FS"): "y", "m",
// a value, or "is not set"; "" where the kernel came without its configuration.
func (k *Kernel) Option(name string) string {
	options := k.options()
	if len(options) == 0 {
		return ""
	}
	if state, ok := options[name]; ok {
		return state
	}
	return "is not set"
}

// readConfig reads a kernel's configuration, which may be missing.
func readConfig(path string) map[string]string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	options := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), "="); ok && strings.HasPrefix(name, "CONFIG_") {
			options[name] = value
		}
	}
	return options
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// moduleName returns the name of a module from that of its file, as the kernel
// spells it: with no dashes. Other files give "".
func moduleName(path string) string {
	name, compression, ok := strings.Cut(filepath.Base(path), ".ko")
	switch {
	case !ok:
		return ""
	case compression == "", compression == ".gz", compression == ".xz", compression == ".zst":
		return strings.ReplaceAll(name, "-", "_")
	}
	return ""
}

// moduleIndex holds what a directory of modules has: name to path, "" for one that
// is built into the kernel.
type moduleIndex map[string]string

func indexModules(dir string) (moduleIndex, error) {
	index := moduleIndex{}
	if dir == "" {
		return index, nil
	}
	builtin, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return nil, fmt.Errorf("read modules of a kernel: %w", err)
	}
	for path := range strings.FieldsSeq(string(builtin)) {
		index[moduleName(path)] = ""
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if name := moduleName(path); name != "" {
			if old := index[name]; old == "" || len(path) < len(old) { // plain before compressed
				index[name] = path
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read modules of a kernel: %w", err)
	}
	return index, nil
}

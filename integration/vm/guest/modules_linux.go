package guest

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// modules loads what was packed.
type modules struct {
	byName map[string]module
	all    []module
	tried  map[string]bool
}

func newModules(all []module) *modules {
	m := &modules{byName: map[string]module{}, all: all, tried: map[string]bool{}}
	for _, one := range all {
		m.byName[one.Name] = one
	}
	return m
}

// load loads a module after those that it needs. One that was not packed is built
// into the kernel: the host has seen to it. One that is loaded is left as it is.
func (m *modules) load(name, parameters string) error {
	name = strings.ReplaceAll(name, "-", "_")
	one, ok := m.byName[name]
	if !ok || m.tried[name] {
		return nil
	}
	m.tried[name] = true
	for _, need := range one.Needs {
		// A soft need may be for other hardware: if it was hard, we shall fail.
		_ = m.load(need, "")
	}
	f, err := os.Open(path.Join(moduleDir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), parameters, 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("load module %s %s: %w", name, parameters, err)
	}
	return nil
}

// makeNodes makes the nodes of devices whose module is loaded when somebody opens
// them, as kmod's static-nodes does: a module says "devname:fuse" and
// "char-major-10-229" of itself.
func makeNodes(all []module) error {
	for _, one := range all {
		var name string
		var major, minor uint32
		for _, alias := range one.Aliases {
			if n, ok := strings.CutPrefix(alias, "devname:"); ok {
				name = n
			} else if !strings.HasPrefix(alias, "char-major-") {
				continue
			} else if n, _ := fmt.Sscanf(alias, "char-major-%d-%d", &major, &minor); n != 2 {
				continue
			}
		}
		node := "/dev/" + name
		if name == "" || minor == 0 || exists(node) {
			continue
		}
		if err := os.MkdirAll(path.Dir(node), 0o755); err != nil {
			return err
		}
		if err := unix.Mknod(node, unix.S_IFCHR|0o600, int(unix.Mkdev(major, minor))); err != nil {
			return fmt.Errorf("make %s: %w", node, err)
		}
	}
	return nil
}

// find returns the modules that a name or alias means. An alias in a module may be
// a pattern.
func (m *modules) find(name string) (found []string) {
	plain := strings.ReplaceAll(name, "-", "_")
	if _, ok := m.byName[plain]; ok {
		return []string{plain}
	}
	for _, one := range m.all {
		for _, alias := range one.Aliases {
			if ok, err := path.Match(alias, name); alias == name || err == nil && ok {
				found = append(found, one.Name)
				break
			}
		}
	}
	return found
}

// modprobe is what the kernel, or a program, calls to have a module loaded:
// modprobe(8), as far as they use it. It returns the exit status.
func modprobe(args []string) int {
	var names []string
	quiet := false
	for _, arg := range args {
		switch {
		case arg == "-q" || arg == "--quiet":
			quiet = true
		case !strings.HasPrefix(arg, "-"):
			names = append(names, arg)
		}
	}
	if len(names) == 0 {
		return 1
	}
	err := loadByName(names[0], strings.Join(names[1:], " "))
	if err != nil {
		if !quiet {
			fmt.Fprintln(os.Stderr, "modprobe:", err)
		}
		return 1
	}
	return 0
}

func loadByName(name, parameters string) error {
	j, err := readJob()
	if err != nil {
		return err
	}
	m := newModules(j.Modules)
	found := m.find(name)
	if len(found) == 0 && !exists("/sys/module/"+strings.ReplaceAll(name, "-", "_")) {
		return fmt.Errorf("module %s was not packed", name)
	}
	for _, one := range found {
		if err := m.load(one, parameters); err != nil {
			return err
		}
	}
	return nil
}

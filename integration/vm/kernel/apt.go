package kernel

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// apt asks for packages of an architecture.
type apt struct {
	options []string
}

// newApt returns the system's apt for a package of its own architecture. For one of
// another it has a state of its own in a directory, which is made: the system knows
// nothing of that architecture, and shall not. Its sources are the system's.
func newApt(ctx context.Context, state, arch string) (*apt, error) {
	if arch == runtime.GOARCH { // Debian's names of these are Go's
		return &apt{}, nil
	}
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(state, sub), 0o755); err != nil {
			return nil, err
		}
	}
	a := &apt{}
	for _, option := range []string{
		"APT::Architecture=" + arch, "APT::Architectures=" + arch, "Acquire::Languages=none",
		"Dir::State::Lists=" + state + "/lists", "Dir::State::status=/dev/null", "Dir::Cache=" + state + "/cache",
	} {
		a.options = append(a.options, "-o", option)
	}
	_, err := a.run(ctx, "", "apt-get", "-q", "update")
	return a, err
}

// run runs apt-get or apt-cache and returns what it printed.
func (a *apt) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	return run(ctx, dir, name, append(a.options[:len(a.options):len(a.options)], args...)...)
}

// candidate returns the kernel package that a package's Meta depends on, in the
// version that apt would install.
func (a *apt) candidate(ctx context.Context, p Package) (Package, error) {
	depends, err := a.run(ctx, "", "apt-cache", "depends", "--important", p.Meta)
	if err != nil {
		return Package{}, err
	}
	newest := Package{Arch: p.Arch}
	for line := range strings.Lines(depends) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: linux-image-"); ok {
			newest.Name = "linux-image-" + name
		}
	}
	if newest.Name == "" {
		return Package{}, fmt.Errorf("apt knows no kernel that %s depends on: are its lists current?", p.Meta)
	}
	show, err := a.run(ctx, "", "apt-cache", "show", "--no-all-versions", newest.Name)
	if err != nil {
		return Package{}, err
	}
	for line := range strings.Lines(show) {
		if version, ok := strings.CutPrefix(line, "Version: "); ok {
			newest.Version = strings.TrimSpace(version)
		}
	}
	return newest, nil
}

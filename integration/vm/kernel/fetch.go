package kernel

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Package is a Debian package that holds a kernel and its modules.
type Package struct {
	Name    string // "linux-image-6.1.0-56-cloud-amd64"
	Version string // "6.1.192-2"
	Arch    string // "arm64"; "" means amd64

	// Meta is the package that depends on the newest kernel of this kind. It
	// stands in when apt has dropped the pinned version, as Debian does some weeks
	// after a newer one came out.
	Meta string
}

func (p Package) String() string { return p.Name + "=" + p.Version }

func (p Package) arch() string { return cmp.Or(p.Arch, "amd64") }

// Packages returns the kernels that suites run on, the oldest first: what Debian 12
// installs, and what it offers of a later release. This and [Foreign] are the one
// place that pins kernels.
func Packages() []Package {
	return []Package{
		{Name: "linux-image-6.1.0-56-cloud-amd64", Version: "6.1.192-2", Meta: "linux-image-cloud-amd64"},
		{Name: "linux-image-6.12.117+deb12-cloud-amd64", Version: "6.12.117-1~deb12u1", Meta: "linux-image-6.12-cloud-amd64"},
	}
}

// Foreign returns kernels of another architecture than amd64. No suite runs on them.
func Foreign() []Package {
	return []Package{
		{Name: "linux-image-6.1.0-56-cloud-arm64", Version: "6.1.192-2", Arch: "arm64", Meta: "linux-image-cloud-arm64"},
	}
}

// Dir returns the directory that kernels are fetched to: drivebay/kernels in the
// user's cache directory.
func Dir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("directory for kernels: %w", err)
	}
	return filepath.Join(dir, "drivebay", "kernels"), nil
}

// Fetched returns the kernels for an architecture ("amd64") that lie in [Dir]: those
// that [Packages] pins in its order, then the others by name.
func Fetched(arch string) ([]*Kernel, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "boot", "vmlinuz-*"))
	if err != nil {
		return nil, err
	}
	var images []string
	for _, p := range Packages() {
		for _, image := range found {
			if strings.HasPrefix(image, filepath.Join(dir, p.dir())+"/") {
				images = append(images, image)
			}
		}
	}
	for _, image := range found {
		if !slices.Contains(images, image) {
			images = append(images, image)
		}
	}
	var kernels []*Kernel
	for _, image := range images {
		k, err := Open(image)
		if err != nil {
			return nil, err
		}
		if k.Arch == arch {
			kernels = append(kernels, k)
		}
	}
	return kernels, nil
}

// dir is where the package lies in the cache.
func (p Package) dir() string { return p.Name + "_" + strings.ReplaceAll(p.Version, ":", "%3a") }

// Fetch brings a package into the cache and returns its kernel. One that is there
// already is taken as it is, without a word to apt. Where apt knows the pinned
// version no more, the newest of the same kind is taken; its Release tells.
//
// It wants apt-get with current lists, and dpkg-deb: Debian, or what is made of it.
// For an architecture that is not the machine's, it brings lists for itself, and
// leaves the machine's as they are. Of several processes that fetch at once, one does
// and the others wait; one that is killed leaves the cache to the next to clean up.
func Fetch(ctx context.Context, p Package) (*Kernel, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	k, err := fetch(ctx, dir, p)
	if err != nil {
		return nil, fmt.Errorf("fetch kernel %s: %w", p, err)
	}
	return k, nil
}

func fetch(ctx context.Context, dir string, p Package) (*Kernel, error) {
	target := filepath.Join(dir, p.dir())
	if k, err := openPackage(target); err == nil {
		return k, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lockDir(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if k, err := openPackage(target); err == nil {
		return k, nil // whoever held the lock has brought it
	}
	if err := removeLeftovers(dir); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(dir, tempPrefix)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	apt, err := newApt(ctx, filepath.Join(temp, "apt"), p.arch())
	if err != nil {
		return nil, err
	}
	return apt.fetch(ctx, dir, temp, p)
}

// tempPrefix begins the names of directories that packages are unpacked in.
const tempPrefix = ".fetch-"

// removeLeftovers removes what was left by those that were killed while they held the
// lock.
func removeLeftovers(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, tempPrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// fetch brings a package, or the newest of its kind, into dir by way of temp.
func (a *apt) fetch(ctx context.Context, dir, temp string, p Package) (*Kernel, error) {
	_, err := a.run(ctx, temp, "apt-get", "download", "-q", p.String())
	if err != nil && p.Meta != "" && ctx.Err() == nil {
		newest, metaErr := a.candidate(ctx, p)
		if metaErr != nil {
			return nil, errors.Join(err, metaErr)
		}
		if k, err := openPackage(filepath.Join(dir, newest.dir())); err == nil {
			return k, nil
		}
		return a.fetch(ctx, dir, temp, newest)
	}
	if err != nil {
		return nil, err
	}
	root := filepath.Join(temp, "root")
	if err := unpack(ctx, temp, root); err != nil {
		return nil, err
	}
	target := filepath.Join(dir, p.dir())
	if err := os.Rename(root, target); err != nil {
		return nil, err
	}
	return openPackage(target)
}

// unpack unpacks the one .deb file in a directory, and the kernel in it.
func unpack(ctx context.Context, dir, root string) error {
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	if len(debs) != 1 {
		return fmt.Errorf("apt-get download left %d packages, want 1", len(debs))
	}
	if _, err := run(ctx, dir, "dpkg-deb", "-x", debs[0], root); err != nil {
		return err
	}
	// The directory's mode comes from the package; MkdirTemp's would be ours alone.
	k, err := openPackage(root)
	if err != nil {
		return err
	}
	if k.Arch != "amd64" {
		return nil // its image is not compressed
	}
	image, err := os.ReadFile(k.Image)
	if err != nil {
		return err
	}
	plain, err := extractELF(image)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(filepath.Dir(k.Image), "vmlinux-"+k.Release), plain, 0o644)
}

// openPackage opens the one kernel of an unpacked package.
func openPackage(root string) (*Kernel, error) {
	images, err := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*"))
	if err != nil {
		return nil, err
	}
	if len(images) != 1 {
		return nil, fmt.Errorf("%s holds %d kernels, want 1", root, len(images))
	}
	return Open(images[0])
}

// run runs a program and returns what it printed.
func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}

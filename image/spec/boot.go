package spec

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/authenticode"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/grub"
	"github.com/drivebay/drivebay/image/uki"
	"github.com/drivebay/drivebay/image/volume"
)

// UKI describes a unified kernel image. All but CmdLine and Uname are names of
// files of the building machine.
type UKI struct {
	Stub      string   `yaml:"stub"`
	Kernel    string   `yaml:"kernel"`
	Initrd    []string `yaml:"initrd"`
	CmdLine   string   `yaml:"cmdline"`
	OSRelease string   `yaml:"os-release"`
	Uname     string   `yaml:"uname"`
	Splash    string   `yaml:"splash"`
	DTB       string   `yaml:"dtb"`

	place
}

// uki returns the entry of a unified kernel image, signed where there is a signer.
func (l *Layout) uki(u *UKI, signer *authenticode.Signer) (filetree.Entry, error) {
	m := uki.Image{CmdLine: u.CmdLine, Uname: u.Uname, Initrds: make([]uki.Source, len(u.Initrd)), Signer: signer}
	names := append([]string{u.Stub, u.Kernel, u.OSRelease, u.Splash, u.DTB}, u.Initrd...)
	sources := []*uki.Source{&m.Stub, &m.Kernel, &m.OSRelease, &m.Splash, &m.DeviceTree}
	for i := range m.Initrds {
		sources = append(sources, &m.Initrds[i])
	}
	for i, name := range names {
		if name == "" {
			continue
		}
		name = l.spec.path(name)
		l.Sources = append(l.Sources, Source{Path: name})
		var err error
		if *sources[i], err = uki.File(name); err != nil {
			return filetree.Entry{}, err
		}
	}
	return m.Entry()
}

// checkUKI refuses a unified kernel image that lacks what makes it one.
func (d *decoder) checkUKI(u *UKI) {
	if u.Stub == "" {
		d.failAt(u.of("stub"), errors.New("no stub: want a file, such as systemd's linuxx64.efi.stub"))
	}
	if u.Kernel == "" {
		d.failAt(u.of("kernel"), errors.New("no kernel: want a file"))
	}
	if slices.Contains(u.Initrd, "") {
		d.failAt(u.of("initrd"), errors.New("an initrd without a name: want files"))
	}
}

// Sign names the files that an EFI program is signed with, in PEM.
type Sign struct {
	Key         string `yaml:"key"`
	Certificate string `yaml:"certificate"`

	place
}

// signer opens what a file is signed with, nil where it is not.
func (l *Layout) signer(s *Sign) (*authenticode.Signer, error) {
	if s == nil {
		return nil, nil
	}
	key, certificate := l.spec.path(s.Key), l.spec.path(s.Certificate)
	l.Sources = append(l.Sources, Source{Path: key}, Source{Path: certificate})
	return authenticode.Load(key, certificate)
}

// checkSign refuses a signature without a key, and of what is no program.
func (d *decoder) checkSign(f *File) {
	if !f.has("file") && !f.has("uki") {
		d.failAt(f.of("sign"), errors.New("key sign: want it with file or uki, the EFI program that is signed"))
	}
	if f.Sign.Key == "" || f.Sign.Certificate == "" {
		d.failAt(f.of("sign"), errors.New("want key and certificate, files in PEM"))
	}
}

// blobFormats are what a blob may be.
var blobFormats = map[string]func(l *Layout, b *Blob) (image.Blob, error){
	"raw": func(l *Layout, b *Blob) (out image.Blob, err error) {
		out.Content, err = image.RawFile(l.spec.path(b.File))
		return out, err
	},
	"grub-boot": func(l *Layout, b *Blob) (image.Blob, error) {
		data, err := readSmall(l.spec.path(b.File))
		return image.Blob{Locate: grub.BootCode{Image: data, CoreOffset: int64(b.Core)}.Locate}, err
	},
	"grub-core": func(l *Layout, b *Blob) (image.Blob, error) {
		content, err := grubCore(l.spec, b.File)
		return image.Blob{Content: content}, err
	},
}

// checkBlob refuses a blob that has no meaning.
func (d *decoder) checkBlob(b *Blob) {
	if b.File == "" {
		d.failAt(b.begin, errors.New("no file: want the file that it is copied from"))
	}
	if b.has("format") && blobFormats[b.Format] == nil {
		d.failAt(b.of("format"), fmt.Errorf("format %q: want one of %s", b.Format, strings.Join(slices.Sorted(maps.Keys(blobFormats)), ", ")))
	}
	if b.has("core") && b.Format != "grub-boot" {
		d.failAt(b.of("core"), fmt.Errorf("key core: format %s has none: grub-boot has", b.format()))
	}
}

// format returns what the blob is.
func (b *Blob) format() string { return cmp.Or(b.Format, "raw") }

// grubCore returns the content of a core image.
func grubCore(s *Spec, name string) (volume.Content, error) {
	b, err := readSmall(s.path(name))
	if err != nil {
		return nil, err
	}
	return grub.Core{Image: b}, nil
}

// maxSmall is the largest file that is read into memory, in bytes: more than any
// boot code has.
const maxSmall = 32 << 20

// readSmall reads a file.
func readSmall(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is of type %s: want a regular file", name, info.Mode().Type())
	case info.Size() > maxSmall:
		return nil, fmt.Errorf("%s: has %d bytes: want at most %d of boot code", name, info.Size(), maxSmall)
	}
	return os.ReadFile(name)
}

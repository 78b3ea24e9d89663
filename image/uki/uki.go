package uki

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/drivebay/drivebay/image/authenticode"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/pecoff"
)

// Image describes a unified kernel image.
type Image struct {
	// Stub is the EFI program that starts the kernel, unsigned: systemd's
	// linuxx64.efi.stub and the like. At most 16 MiB.
	Stub Source
	// Kernel is a Linux kernel that is an EFI program for the stub's machine
	// (section .linux).
	Kernel Source
	// Initrds are the archives of the initramfs, which the kernel unpacks one
	// over the other (.initrd).
	Initrds []Source
	// CmdLine is the kernel's command line (.cmdline). Space around it is
	// dropped. "" lets the boot loader say.
	CmdLine string
	// OSRelease is the system's /etc/os-release (.osrel). systemd-boot lists no
	// image without a PRETTY_NAME and an ID in it.
	OSRelease Source
	// Uname is the kernel's release, as uname -r prints it (.uname). "" is what
	// the head of a kernel for x86 says, and for others none.
	Uname string
	// Splash is a picture in the format BMP that is shown at the start (.splash).
	Splash Source
	// DeviceTree is a flattened device tree for the kernel (.dtb).
	DeviceTree Source
	// Signer signs the image for Secure Boot. nil leaves it unsigned.
	Signer *authenticode.Signer
}

// maxStub is the largest stub in bytes. It is held in memory.
const maxStub = 16 << 20

// Entry returns the image as a regular file of mode 0644 to be put into a tree.
// It reads the stub and the head of the kernel; whoever opens the entry reads the
// rest, twice, since a checksum of all stands in front. Its errors are of type
// [*PartError].
func (m *Image) Entry() (filetree.Entry, error) {
	a, err := m.assemble()
	if err != nil {
		return filetree.Entry{}, err
	}
	if m.Signer == nil {
		return filetree.Entry{Mode: 0o644, Size: a.size, Open: a.open}, nil
	}
	// Whoever signs an image sums it up as well.
	signed, err := m.Signer.Entry(filetree.Entry{Mode: 0o644, Size: a.size, Open: a.openUnsummed})
	if err != nil {
		return filetree.Entry{}, &PartError{Part: "signature", Err: err}
	}
	return signed, nil
}

// assemble finds the place of everything.
func (m *Image) assemble() (*assembly, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	uname, machine, err := m.kernel()
	if err != nil {
		return nil, &PartError{Part: "kernel", Name: m.Kernel.Name, Err: err}
	}
	sections := m.sections(uname)
	fail := func(err error) (*assembly, error) {
		return nil, &PartError{Part: "stub", Name: m.Stub.Name, Err: err}
	}
	stub, err := m.Stub.head(maxStub)
	if err != nil {
		return fail(err)
	}
	a, err := newAppender(stub, len(sections))
	switch {
	case err != nil:
		return fail(err)
	case a.head.Machine != machine:
		return fail(fmt.Errorf("%w: it is for machine %#x, want %#x, the kernel's", ErrStub, a.head.Machine, machine))
	}
	for i := range sections {
		if err := a.add(&sections[i]); err != nil {
			return nil, &PartError{Part: "section", Name: sections[i].name, Err: err}
		}
	}
	a.finish()
	return &assembly{stub: a.stub, checksum: a.head.Optional + pecoff.CheckSum, rest: a.rest, size: a.size}, nil
}

// sections returns what is appended to the stub. The kernel is last, so that it
// has room behind it to unpack itself.
func (m *Image) sections(uname string) (list []section) {
	text := func(name, text string) section {
		s := section{name: name}
		if text = strings.TrimSpace(text); text != "" {
			s.parts = []Source{Bytes(name, []byte(text))}
		}
		return s
	}
	for _, s := range []section{
		{name: ".osrel", parts: []Source{m.OSRelease}},
		text(".cmdline", m.CmdLine),
		{name: ".dtb", parts: []Source{m.DeviceTree}},
		{name: ".splash", parts: []Source{m.Splash}},
		{name: ".initrd", parts: m.Initrds},
		text(".uname", uname),
		{name: ".linux", parts: []Source{m.Kernel}, code: true},
	} {
		if len(s.parts) > 0 && s.parts[0].Open != nil {
			list = append(list, s)
		}
	}
	return list
}

// check refuses what is missing or has no meaning.
func (m *Image) check() error {
	type named struct {
		part   string
		source *Source
		needed bool
	}
	sources := []named{
		{"stub", &m.Stub, true}, {"kernel", &m.Kernel, true},
		{"os-release", &m.OSRelease, false}, {"splash", &m.Splash, false}, {"device tree", &m.DeviceTree, false},
	}
	for i := range m.Initrds {
		sources = append(sources, named{"initrd", &m.Initrds[i], true})
	}
	for _, s := range sources {
		if err := s.source.check(s.needed); err != nil {
			return &PartError{Part: s.part, Name: s.source.Name, Err: err}
		}
	}
	if m.Stub.Size > maxStub {
		return &PartError{Part: "stub", Name: m.Stub.Name, Err: fmt.Errorf("%w: it has %d bytes, want at most %d", ErrStub, m.Stub.Size, maxStub)}
	}
	for _, s := range []struct{ part, text string }{{"command line", m.CmdLine}, {"uname", m.Uname}} {
		if err := checkLine(strings.TrimSpace(s.text)); err != nil {
			return &PartError{Part: s.part, Err: err}
		}
	}
	return nil
}

// checkLine refuses what is not one line of text.
func checkLine(text string) error {
	if i := strings.IndexFunc(text, unicode.IsControl); i >= 0 {
		return fmt.Errorf("it has the control character %q, want one line of text", text[i])
	}
	if !utf8.ValidString(text) {
		return fmt.Errorf("it is %q, want UTF-8", text)
	}
	return nil
}

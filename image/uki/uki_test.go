package uki_test

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/authenticode"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/uki"
)

// everything returns an image with all parts that there are.
func everything(stub uki.Source) *uki.Image {
	return &uki.Image{
		Stub: stub, Kernel: uki.Bytes("vmlinuz", kernelFor(pe.IMAGE_FILE_MACHINE_AMD64, "6.1.0-test (somebody) #1")),
		Initrds:   []uki.Source{uki.Bytes("microcode", []byte("odd")), uki.Bytes("initrd", []byte("initramfs"))},
		CmdLine:   " root=/dev/vda2 quiet\n",
		OSRelease: uki.Bytes("os-release", []byte("ID=debian\nPRETTY_NAME=Debian\n")),
		Splash:    uki.Bytes("splash.bmp", []byte("BM")), DeviceTree: uki.Bytes("board.dtb", []byte{0xd0, 0x0d, 0xfe, 0xed}),
	}
}

// want is what the sections of everything hold, in their order.
var want = []struct{ name, content string }{
	{".osrel", "ID=debian\nPRETTY_NAME=Debian\n"},
	{".cmdline", "root=/dev/vda2 quiet"},
	{".dtb", "\xd0\x0d\xfe\xed"},
	{".splash", "BM"},
	{".initrd", "odd\x00initramfs"},
	{".uname", "6.1.0-test"},
	{".linux", string(kernelFor(pe.IMAGE_FILE_MACHINE_AMD64, "6.1.0-test (somebody) #1"))},
}

// TestSections reads an image by package debug/pe.
func TestSections(t *testing.T) {
	stub := stubFor(pe.IMAGE_FILE_MACHINE_AMD64)
	e, err := everything(uki.Bytes("stub", stub)).Entry()
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o644), e.Mode)
	b := imagetest.ReadEntry(t, e)
	require.Equal(t, b, imagetest.ReadEntry(t, e), "opened again, it is another")

	before, err := pe.NewFile(bytes.NewReader(stub))
	require.NoError(t, err)
	f, err := pe.NewFile(bytes.NewReader(b))
	require.NoError(t, err)
	old, opt := before.OptionalHeader.(*pe.OptionalHeader64), f.OptionalHeader.(*pe.OptionalHeader64)
	require.NotContains(t, string(b), "sym", "the stub's symbols are left in a gap")
	require.Len(t, f.Sections, len(before.Sections)+len(want))
	address, code, data := uint32(0), old.SizeOfCode, old.SizeOfInitializedData
	for i, s := range f.Sections {
		if i < len(before.Sections) {
			require.Equal(t, before.Sections[i].SectionHeader, s.SectionHeader)
		} else {
			w := want[i-len(before.Sections)]
			require.Equal(t, w.name, s.Name)
			require.EqualValues(t, len(w.content), s.VirtualSize)
			content, err := s.Data()
			require.NoError(t, err)
			require.Equal(t, w.content, string(content[:s.VirtualSize]))
			require.Empty(t, bytes.Trim(content[s.VirtualSize:], "\x00"))
			require.Zero(t, s.VirtualAddress%4096)
			require.Zero(t, s.Offset%opt.FileAlignment)
			if w.name == ".linux" {
				code += s.Size
				require.EqualValues(t, pe.IMAGE_SCN_MEM_READ|pe.IMAGE_SCN_CNT_CODE, s.Characteristics)
			} else {
				data += s.Size
				require.EqualValues(t, pe.IMAGE_SCN_MEM_READ|pe.IMAGE_SCN_CNT_INITIALIZED_DATA, s.Characteristics)
			}
		}
		require.GreaterOrEqual(t, s.VirtualAddress, address, "%s overlaps", s.Name)
		address = s.VirtualAddress + s.VirtualSize
	}
	require.Equal(t, (address+opt.SectionAlignment-1)/opt.SectionAlignment*opt.SectionAlignment, opt.SizeOfImage)
	require.Equal(t, []uint32{code, data}, []uint32{opt.SizeOfCode, opt.SizeOfInitializedData})
	// Nothing else of the headers has changed.
	opt.SizeOfCode, opt.SizeOfInitializedData, opt.SizeOfImage, opt.CheckSum = old.SizeOfCode, old.SizeOfInitializedData, old.SizeOfImage, old.CheckSum
	require.Equal(t, old, opt)
	f.NumberOfSections, before.PointerToSymbolTable = before.NumberOfSections, 0
	require.Equal(t, before.FileHeader, f.FileHeader)
}

// TestOptionalParts wants of an image no more than its stub and kernel.
func TestOptionalParts(t *testing.T) {
	e, err := (&uki.Image{
		Stub:   uki.Bytes("stub", stubFor(pe.IMAGE_FILE_MACHINE_ARM64)),
		Kernel: uki.Bytes("Image", kernelFor(pe.IMAGE_FILE_MACHINE_ARM64, "")),
	}).Entry()
	require.NoError(t, err)
	f, err := pe.NewFile(bytes.NewReader(imagetest.ReadEntry(t, e)))
	require.NoError(t, err)
	require.Equal(t, []string{".text", ".sdmagic", ".linux"}, names(f))
}

func names(f *pe.File) (list []string) {
	for _, s := range f.Sections {
		list = append(list, s.Name)
	}
	return list
}

func TestErrors(t *testing.T) {
	const amd64 = pe.IMAGE_FILE_MACHINE_AMD64
	stub := func(change func(b []byte)) func(*uki.Image) {
		return func(m *uki.Image) {
			b := stubFor(amd64)
			change(b)
			m.Stub = uki.Bytes("linux.efi.stub", b)
		}
	}
	for _, tc := range []struct {
		name   string
		change func(m *uki.Image)
		is     error
		text   string
	}{
		{"no stub", func(m *uki.Image) { m.Stub = uki.Source{} }, nil, "stub: there is none, want a source that can be opened"},
		{"no kernel", func(m *uki.Image) { m.Kernel = uki.Source{} }, nil, "kernel: there is none"},
		{"empty initrd", func(m *uki.Image) { m.Initrds[1] = uki.Bytes("initrd.img", nil) }, nil, "initrd initrd.img: it has 0 bytes, want more than 0"},
		{"stub is text", stub(func(b []byte) { copy(b, "#!") }), uki.ErrNotPE, `stub linux.efi.stub: not a PE image: beginning is "#!", want "MZ"`},
		{"stub without signature", stub(func(b []byte) { b[peAt] = 'X' }), uki.ErrNotPE, `signature is "XE\x00\x00"`},
		{"stub's header elsewhere", stub(func(b []byte) { binary.LittleEndian.PutUint32(b[0x3c:], 1<<31) }), uki.ErrNotPE, "offset of the header is 2147483648"},
		{"short stub", func(m *uki.Image) { m.Stub = uki.Bytes("stub", []byte("MZ")) }, uki.ErrNotPE, "size is 2 bytes, want at least the 64"},
		{"stub cut off", func(m *uki.Image) { m.Stub = uki.Bytes("stub", stubFor(amd64)[:0x300]) }, uki.ErrNotPE, "end of section .text is 1536, want at most the size, 768 bytes"},
		{"stub of a ROM", stub(func(b []byte) { b[optionalAt] = 7 }), uki.ErrNotPE, "optional header is of type 0x207"},
		{"strange alignment", stub(func(b []byte) { b[optionalAt+36] = 3 }), uki.ErrNotPE, "file alignment is 515, want a power of two"},
		{"signed stub", stub(func(b []byte) { b[optionalAt+112+4*8] = 1 }), uki.ErrStub, "it is signed, want one without a signature"},
		{"no room", stub(func(b []byte) { b[tableAt+9*40-1] = 1 }), uki.ErrStub, "its headers have room for 6 more sections, want room for 7"},
		{"extended twice", stub(func(b []byte) { copy(b[tableAt:], ".linux\x00") }), uki.ErrStub, "section .linux: not a stub that can be extended: it has one already"},
		{"huge stub", func(m *uki.Image) { m.Stub.Size = 1 << 30 }, uki.ErrStub, "it has 1073741824 bytes, want at most 16777216"},
		{"another machine", stub(func(b []byte) { binary.LittleEndian.PutUint16(b[peAt+4:], pe.IMAGE_FILE_MACHINE_ARM64) }), uki.ErrStub, "it is for machine 0xaa64, want 0x8664, the kernel's"},
		{"kernel is none", func(m *uki.Image) { m.Kernel = uki.Bytes("vmlinux", []byte(strings.Repeat("\x7fELF", 99))) }, uki.ErrNotPE, `kernel vmlinux: not a PE image: beginning is "\x7fE", want "MZ"`},
		{"4 GiB", func(m *uki.Image) { m.Initrds[0].Size = 1<<32 - 1<<14 }, uki.ErrTooLarge, "section .initrd: too large for a PE image: its 4294950921 bytes would end beyond 4294967295"},
		{"exabytes", func(m *uki.Image) { m.Initrds[0].Size = 1 << 62 }, uki.ErrTooLarge, "initrd microcode: too large for a PE image: it has 4611686018427387904 bytes, want at most 4294967295"},
		{"no key", func(m *uki.Image) { m.Signer = &authenticode.Signer{} }, authenticode.ErrKey, "unified kernel image: signature: sign EFI program: not a key for EFI programs: want a key and a certificate"},
		{"two lines", func(m *uki.Image) { m.CmdLine = "quiet\nsplash" }, nil, `command line: it has the control character '\n', want one line of text`},
		{"Latin-1", func(m *uki.Image) { m.Uname = "\xe4" }, nil, `uname: it is "\xe4", want UTF-8`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := everything(uki.Bytes("linux.efi.stub", stubFor(amd64)))
			tc.change(m)
			_, err := m.Entry()
			require.ErrorContains(t, err, tc.text)
			var part *uki.PartError
			require.ErrorAs(t, err, &part)
			if tc.is != nil {
				require.ErrorIs(t, err, tc.is)
			}
		})
	}
}

// TestChangedSource wants files that have changed since the entry was made to be
// told, and named.
func TestChangedSource(t *testing.T) {
	for _, tc := range []struct {
		name, content, want string
	}{
		{"shorter", "init", "ends within 9 bytes"},
		{"longer", "initramfs!", "goes on beyond 9 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "initrd")
			require.NoError(t, os.WriteFile(name, []byte("initramfs"), 0o644))
			initrd, err := uki.File(name)
			require.NoError(t, err)
			m := everything(uki.Bytes("stub", stubFor(pe.IMAGE_FILE_MACHINE_AMD64)))
			m.Initrds = []uki.Source{initrd}
			e, err := m.Entry()
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(name, []byte(tc.content), 0o644))
			_, err = e.Open()
			require.ErrorIs(t, err, filetree.ErrChanged)
			require.ErrorContains(t, err, name+": ")
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	_, err := uki.File(dir)
	require.ErrorContains(t, err, "want a regular file")
	_, err = uki.File(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

package spec

import (
	"debug/pe"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
)

// writeBootFiles puts into a directory what has the marks of a stub, a kernel and
// GRUB's images, and nothing that runs.
func writeBootFiles(t *testing.T) (dir string) {
	dir = t.TempDir()
	stub := make([]byte, 1024)
	copy(stub, "MZ")
	stub[0x3c] = 0x40
	copy(stub[0x40:], "PE\x00\x00")
	_, _ = binary.Encode(stub[0x44:], binary.LittleEndian, pe.FileHeader{Machine: pe.IMAGE_FILE_MACHINE_AMD64, SizeOfOptionalHeader: 240})
	_, _ = binary.Encode(stub[0x58:], binary.LittleEndian, pe.OptionalHeader64{
		Magic: 0x20b, SectionAlignment: 512, FileAlignment: 512, SizeOfHeaders: 1024, NumberOfRvaAndSizes: 16,
	})
	boot, core := make([]byte, 512), make([]byte, 1024)
	copy(boot, "\xeb\x63\x90")
	boot[0x66] = 0xeb
	copy(boot[0x180:], "GRUB \x00")
	copy(core[508:], "\x01\x00\x20\x08")
	for name, content := range map[string]string{
		"stub": string(stub), "vmlinuz": string(stub), "microcode": "micro", "initrd": "archive", "os-release": "ID=x\n",
		"boot.img": string(boot), "core.img": string(core),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	return dir
}

const bootSpec = `
partitions:
  - {name: bios, type: bios-boot, size: 1MiB, content: {format: grub-core, file: core.img}}
  - name: esp
    type: esp
    content:
      format: vfat
      files:
        - path: /EFI/Linux/x.efi
          mode: "0755"
          uki: {stub: stub, kernel: vmlinuz, initrd: [microcode, initrd], cmdline: quiet, os-release: os-release, uname: "6.1"}
blobs:
  - {name: boot code, format: grub-boot, file: boot.img}
`

func TestBoot(t *testing.T) {
	dir := writeBootFiles(t)
	s, err := Parse("disk.yaml", strings.NewReader(bootSpec), dir)
	require.NoError(t, err)
	l, err := s.Layout(t.Context())
	require.NoError(t, err)
	defer l.Close()
	var sources []string
	for _, source := range l.Sources {
		sources = append(sources, filepath.Base(source.Path))
	}
	require.ElementsMatch(t, []string{"core.img", "stub", "vmlinuz", "microcode", "initrd", "os-release", "boot.img"}, sources)

	name := filepath.Join(t.TempDir(), "disk.img")
	plan, err := image.Build(t.Context(), name, l.Layout, image.Options{})
	require.NoError(t, err)
	disk, err := os.ReadFile(name)
	require.NoError(t, err)
	core := plan.Partitions[0].Start
	require.EqualValues(t, core/512, binary.LittleEndian.Uint64(disk[0x5c:]))
	require.EqualValues(t, core/512+1, binary.LittleEndian.Uint64(disk[core+500:]))

	node, ok := l.Trees[1].Lookup("EFI/Linux/x.efi")
	require.True(t, ok)
	require.Equal(t, "-rwxr-xr-x", node.Mode().String())
	r, err := node.Open()
	require.NoError(t, err)
	defer r.Close()
	out, err := os.Create(filepath.Join(t.TempDir(), "x.efi"))
	require.NoError(t, err)
	defer out.Close()
	_, err = out.ReadFrom(r)
	require.NoError(t, err)
	f, err := pe.NewFile(out)
	require.NoError(t, err)
	got := map[string]string{}
	for _, section := range f.Sections {
		content, err := section.Data()
		require.NoError(t, err)
		got[section.Name] = strings.TrimRight(string(content), "\x00")
	}
	delete(got, ".linux")
	require.Equal(t, map[string]string{".osrel": "ID=x\n", ".cmdline": "quiet", ".initrd": "micro\x00\x00\x00archive", ".uname": "6.1"}, got)
}

// TestBootBehindMBR puts the core image between the table and the first partition.
func TestBootBehindMBR(t *testing.T) {
	const yaml = `
table: mbr
partitions: [{size: 1MiB, type: linux-generic}]
blobs:
  - {offset: 512, format: grub-core, file: core.img}
  - {format: grub-boot, file: boot.img, core: 512}
`
	s, err := Parse("disk.yaml", strings.NewReader(yaml), writeBootFiles(t))
	require.NoError(t, err)
	l, err := s.Layout(t.Context())
	require.NoError(t, err)
	defer l.Close()
	name := filepath.Join(t.TempDir(), "disk.img")
	_, err = image.Build(t.Context(), name, l.Layout, image.Options{})
	require.NoError(t, err)
	disk, err := os.ReadFile(name)
	require.NoError(t, err)
	require.EqualValues(t, 1, binary.LittleEndian.Uint64(disk[0x5c:]))
	require.EqualValues(t, 2, binary.LittleEndian.Uint64(disk[512+500:]))
}

func TestBootErrors(t *testing.T) {
	dir := writeBootFiles(t)
	for _, tc := range []struct {
		name, old, new string // what is changed in bootSpec
		want           string
	}{
		{"no stub", "stub: stub, ", "", `disk.yaml:11:16: partition "esp": content: file "/EFI/Linux/x.efi": uki: no stub: want a file, such as systemd's linuxx64.efi.stub`},
		{"empty kernel", "kernel: vmlinuz", `kernel: ""`, `disk.yaml:11:37: partition "esp": content: file "/EFI/Linux/x.efi": uki: no kernel: want a file`},
		{"unknown key", "uname:", "release:", "disk.yaml:11"},
		{"stub missing", "stub: stub", "stub: none", `file "/EFI/Linux/x.efi": stat ` + dir + "/none: no such file or directory"},
		{"kernel is none", "kernel: vmlinuz", "kernel: initrd", `disk.yaml:9:11: partition "esp": content: file "/EFI/Linux/x.efi": unified kernel image: kernel ` + dir + "/initrd: not a PE image"},
		{"not boot code", "file: boot.img", "file: core.img", `disk.yaml:13:5: blob 1 (boot code): content: not GRUB's boot code: it has 1024 bytes, want 512`},
		{"not a core", "file: core.img", "file: boot.img", `disk.yaml:3:41: partition 1 (bios): size 1048576: not a core image of GRUB`},
		{"no core file", ", file: core.img", "", `no file: format grub-core wants the file that it is copied from`},
		{"core is a directory", "file: core.img", "file: .", "want a regular file"},
		{"blob of unknown format", "format: grub-boot", "format: lilo", `disk.yaml:13:31: blob "boot code": format "lilo": want one of grub-boot, grub-core, raw`},
		{"signed without a key", "uki: {", "sign: {certificate: vmlinuz}\n          uki: {", `file "/EFI/Linux/x.efi": sign: want key and certificate, files in PEM`},
		{"signed with what is no key", "uki: {", "sign: {key: vmlinuz, certificate: initrd}\n          uki: {", `disk.yaml:9:11: partition "esp": content: file "/EFI/Linux/x.efi": key ` + dir + "/vmlinuz, certificate " + dir + "/initrd: tls: failed to find any PEM data"},
		{"signed text", "uki: {stub: stub, kernel: vmlinuz, initrd: [microcode, initrd], cmdline: quiet, os-release: os-release, uname: \"6.1\"}", "text: x\n          sign: {key: a, certificate: b}", "key sign: want it with file or uki"},
		{"core of raw", "format: grub-boot", "core: 512", `blob "boot code": key core: format raw has none: grub-boot has`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Contains(t, bootSpec, tc.old)
			s, err := Parse("disk.yaml", strings.NewReader(strings.Replace(bootSpec, tc.old, tc.new, 1)), dir)
			if err == nil {
				var l *Layout
				if l, err = s.Layout(t.Context()); err == nil {
					defer l.Close()
					_, err = l.Plan(t.Context())
				}
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}

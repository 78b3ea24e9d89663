package main

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
)

// TestBoot builds the disk and has other tools look at it. That it boots is for
// the suites in integration/guests to show.
func TestBoot(t *testing.T) {
	fixture.RequireTool(t, "grub-mkimage", "sgdisk", "fsck.vfat", "mcopy", "cpio", "objdump")
	fixture.RequireFile(t, "/usr/lib/grub/i386-pc/boot.img", "/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
	dir := t.TempDir()
	kernel := make([]byte, 512) // what is looked at of one
	copy(kernel, "MZ")
	kernel[0x3c] = 0x40
	copy(kernel[0x40:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(kernel[0x44:], pe.IMAGE_FILE_MACHINE_AMD64)
	name, disk := filepath.Join(dir, "vmlinuz"), filepath.Join(dir, "disk.img")
	require.NoError(t, os.WriteFile(name, kernel, 0o644))
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-kernel", name, "-o", disk}, &out))
	require.Contains(t, out.String(), "-drive format=raw,file="+disk+" -bios")

	require.Contains(t, command(t, "sgdisk", "-v", disk), "No problems found")
	esp := fmt.Sprintf("%s@@%d", disk, 2<<20)
	for file, want := range map[string]string{
		"EFI/BOOT/BOOTX64.EFI":            "/usr/lib/systemd/boot/efi/systemd-bootx64.efi",
		"EFI/systemd/systemd-bootx64.efi": "/usr/lib/systemd/boot/efi/systemd-bootx64.efi",
		"vmlinuz":                         name,
	} {
		got := filepath.Join(dir, "copy")
		command(t, "mcopy", "-n", "-o", "-i", esp, "::"+file, got)
		command(t, "cmp", got, want)
	}
	command(t, "mcopy", "-i", esp, "::EFI/Linux/unified.efi", "::initrd.img", dir)
	sections := command(t, "objdump", "-h", filepath.Join(dir, "unified.efi"))
	for _, section := range []string{".osrel", ".cmdline", ".initrd", ".linux"} {
		require.Contains(t, sections, section)
	}
	initrd, err := os.Open(filepath.Join(dir, "initrd.img"))
	require.NoError(t, err)
	defer initrd.Close()
	list := exec.Command("cpio", "-itv", "--quiet")
	list.Stdin = initrd
	b, err := list.CombinedOutput()
	require.NoError(t, err, "%s", b)
	require.Regexp(t, `^-rwxr-xr-x .* init\n$`, string(b))
}

func TestErrors(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	require.ErrorIs(t, run(t.Context(), []string{"-kernel", none}, &bytes.Buffer{}), os.ErrNotExist)
	require.EqualError(t, run(t.Context(), []string{"vmlinuz"}, &bytes.Buffer{}), `argument "vmlinuz": want none but flags`)
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	require.NoError(t, err, "%s %s: %s", name, strings.Join(args, " "), out)
	return string(out)
}

package iso9660_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/iso9660"
)

const marker = "drivebay has booted"

// Files of Debian's packages isolinux, syslinux-common and ovmf.
const (
	isolinuxBin = "/usr/lib/ISOLINUX/isolinux.bin"
	isohdpfxBin = "/usr/lib/ISOLINUX/isohdpfx.bin"
	ldlinux     = "/usr/lib/syslinux/modules/bios/ldlinux.c32"
	ovmfCode    = "/usr/share/OVMF/OVMF_CODE_4M.fd"
	ovmfVars    = "/usr/share/OVMF/OVMF_VARS_4M.fd"
)

// escapes are what moves a terminal's cursor.
var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// boots starts a machine and waits until it says something on its serial port, be it
// as slow as the whole run may be. The port is not the BIOS's console: that writes to
// it late, in the middle of what others write.
func boots(t *testing.T, says string, args ...string) {
	t.Helper()
	ctx := t.Context()
	if end, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-10*time.Second)) // for what it has said
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, fixture.RequireTool(t, "qemu-system-x86_64"),
		append([]string{"-m", "256", "-display", "none", "-no-reboot", "-net", "none", "-monitor", "none", "-serial", "stdio", "-accel", "tcg"}, args...)...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var said strings.Builder
	for r := bufio.NewReader(out); ; {
		b, err := r.ReadByte()
		require.NoError(t, err, "%s", &said)
		said.WriteByte(b)
		if b == says[len(says)-1] && strings.HasSuffix(escapes.ReplaceAllString(said.String(), ""), says) {
			return
		}
	}
}

// asDisc and asDisk return QEMU's arguments for an image as one or the other.
func asDisc(name string) []string { return []string{"-drive", "media=cdrom,format=raw,file=" + name} }
func asDisk(name string) []string {
	return []string{"-drive", "media=disk,if=ide,format=raw,file=" + name}
}

// serialProgram is a program for BIOS that writes the marker to the first serial
// port. The marker is in the last of the four sectors that are loaded, so that all
// of them have to be.
func serialProgram() []byte {
	const at = 3*512 + 100
	b := make([]byte, 4*512)
	copy(b, []byte{
		0x31, 0xc0, // xor ax, ax
		0x8e, 0xd8, // mov ds, ax
		0xbe, at & 0xff, (0x7c00 + at) >> 8, // mov si, 0x7c00+at
		0xba, 0xf8, 0x03, // mov dx, 0x3f8
		0xac,       // next: lodsb
		0x84, 0xc0, // test al, al
		0x74, 0x03, // jz stop
		0xee,       // out dx, al
		0xeb, 0xf8, // jmp next
		0xf4,       // stop: hlt
		0xeb, 0xfd, // jmp stop
	})
	copy(b[at:], marker)
	return b
}

// addFiles adds files of this machine to a tree.
func addFiles(t *testing.T, tr *filetree.Tree, files map[string]string) {
	t.Helper()
	for path, name := range files {
		fixture.RequireFile(t, name)
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		_, err = tr.Add(path, filetree.File(b, 0o644))
		require.NoError(t, err)
	}
}

func addText(t *testing.T, tr *filetree.Tree, path, text string) {
	t.Helper()
	_, err := tr.Add(path, filetree.File([]byte(text), 0o644))
	require.NoError(t, err)
}

// esp returns an EFI system partition from which the firmware's shell says the
// marker.
func esp(t *testing.T) *fat.FileSystem {
	t.Helper()
	tr := filetree.New()
	addText(t, tr, "startup.nsh", "echo "+marker+"\r\n")
	return &fat.FileSystem{Tree: tr, Label: "ESP"}
}

// firmware returns QEMU's arguments for UEFI.
func firmware(t *testing.T) []string {
	t.Helper()
	fixture.RequireFile(t, ovmfCode, ovmfVars)
	return []string{
		"-machine", "q35", "-drive", "if=pflash,format=raw,readonly=on,file=" + ovmfCode,
		"-drive", "if=pflash,format=raw,snapshot=on,file=" + ovmfVars,
	}
}

// isolinux returns a tree that ISOLINUX boots from to its prompt, which is on the
// serial port once it has read its configuration.
func isolinux(t *testing.T) *filetree.Tree {
	t.Helper()
	tr := filetree.New()
	addFiles(t, tr, map[string]string{"isolinux/isolinux.bin": isolinuxBin, "isolinux/ldlinux.c32": ldlinux})
	addText(t, tr, "isolinux/isolinux.cfg", "SERIAL 0\nPROMPT 1\nDEFAULT none\n")
	return tr
}

func TestBootsBIOS(t *testing.T) {
	tr := filetree.New()
	_, err := tr.Add("boot.bin", filetree.File(serialProgram(), 0o644))
	require.NoError(t, err)
	name := write(t, &iso9660.FileSystem{Tree: tr, Boot: []iso9660.BootEntry{{Path: "boot.bin"}}}, 0)
	boots(t, marker, asDisc(name)...)
}

func TestBootsISOLINUX(t *testing.T) {
	fixture.RequireFile(t, isohdpfxBin)
	code, err := os.ReadFile(isohdpfxBin)
	require.NoError(t, err)
	boot := []iso9660.BootEntry{{Path: "isolinux/isolinux.bin", InfoTable: true}}
	both := append(boot[:1:1], iso9660.BootEntry{Platform: iso9660.UEFI, Image: esp(t)})
	for _, tc := range []struct {
		name string
		boot []iso9660.BootEntry
	}{{"MBR", boot}, {"GPT", both}} {
		t.Run(tc.name, func(t *testing.T) {
			name := write(t, &iso9660.FileSystem{Tree: isolinux(t), Boot: tc.boot, Hybrid: &iso9660.Hybrid{BootCode: code}}, 0)
			boots(t, "boot: ", asDisc(name)...)
			boots(t, "boot: ", asDisk(name)...)
		})
	}
}

// TestBootsGRUB boots the image that grub-mkimage makes, with its boot code as a disk.
func TestBootsGRUB(t *testing.T) {
	dir := t.TempDir()
	config, img := filepath.Join(dir, "grub.cfg"), filepath.Join(dir, "eltorito.img")
	require.NoError(t, os.WriteFile(config, []byte("serial\nterminal_output serial\necho "+marker+"\n"), 0o644))
	tool(t, "grub-mkimage", "-O", "i386-pc-eltorito", "-o", img, "-p", "/boot/grub", "-c", config, "biosdisk", "iso9660", "echo", "serial", "terminal")
	const bootHybrid = "/usr/lib/grub/i386-pc/boot_hybrid.img"
	fixture.RequireFile(t, bootHybrid)
	code, err := os.ReadFile(bootHybrid)
	require.NoError(t, err)
	tr := filetree.New()
	addFiles(t, tr, map[string]string{"boot/grub/eltorito.img": img})
	name := write(t, &iso9660.FileSystem{
		Tree: tr, Boot: []iso9660.BootEntry{{Path: "boot/grub/eltorito.img", InfoTable: true, GRUB: true}},
		Hybrid: &iso9660.Hybrid{BootCode: code[:432]},
	}, 0)
	boots(t, marker, asDisc(name)...)
	boots(t, marker, asDisk(name)...)
}

func TestBootsUEFI(t *testing.T) {
	name := write(t, &iso9660.FileSystem{
		Boot: []iso9660.BootEntry{{Platform: iso9660.UEFI, Image: esp(t)}}, Hybrid: &iso9660.Hybrid{},
	}, 0)
	boots(t, marker, append(firmware(t), asDisc(name)...)...)
	boots(t, marker, append(firmware(t), asDisk(name)...)...)
}

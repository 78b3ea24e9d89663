package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed disk.yaml grub.cfg
var files embed.FS

// prepare puts into dir what the description names beside the distribution's
// files.
func prepare(ctx context.Context, dir, kernel string) error {
	if err := os.CopyFS(dir, files); err != nil {
		return err
	}
	if err := copyFile(filepath.Join(dir, "vmlinuz"), kernel); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	for name, content := range map[string]string{
		"initrd.img": entry("init", string(program)) + entry("TRAILER!!!", ""),
		"os-release": "ID=drivebay\nPRETTY_NAME=\"An example of drivebay\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, "grub-mkimage", "-O", "i386-pc", "-p", "/grub", "-c", "grub.cfg", "-o", "core.img",
		"biosdisk", "part_gpt", "fat", "search_label", "linux", "boot")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func copyFile(to, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

// entry returns a program as an archive of an initramfs has it: a header of
// hexadecimal numbers, the name and the content, each padded to four bytes
// (Documentation/driver-api/early-userspace/buffer-format.rst).
func entry(name, content string) string {
	pad := func(s string) string { return s + strings.Repeat("\x00", -len(s)&3) }
	header := "070701"
	for _, n := range []int{1, 0o100755, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0} {
		header += fmt.Sprintf("%08x", n)
	}
	return pad(header+name+"\x00") + pad(content)
}

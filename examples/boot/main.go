// Command boot builds a disk that a PC boots by UEFI and by BIOS: with a unified
// kernel image and systemd-boot, and with GRUB. Its description is disk.yaml.
//
//	CGO_ENABLED=0 go run ./examples/boot -kernel /boot/vmlinuz-... -o disk.img
//
// What it boots to is this very program, the only one in the initramfs: it tells
// by which way it was started, and powers off. Nothing needs root.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/spec"
)

func main() {
	run := run
	if os.Getpid() == 1 && os.Args[0] == "/init" { // as the kernel starts it, and not a container
		run = runInit
	}
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "boot:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("boot", flag.ContinueOnError)
	kernel := flags.String("kernel", "/vmlinuz", "the kernel to boot")
	output := flags.String("o", "disk.img", "the image to write")
	description := flags.String("spec", "", "the description of the disk; disk.yaml if there is none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("argument %q: want none but flags", flags.Arg(0))
	}
	dir, err := os.MkdirTemp("", "boot")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := prepare(ctx, dir, *kernel); err != nil {
		return err
	}
	if *description != "" {
		if err := copyFile(filepath.Join(dir, "disk.yaml"), *description); err != nil {
			return err
		}
	}
	disk, err := spec.Load(filepath.Join(dir, "disk.yaml"))
	if err != nil {
		return err
	}
	layout, err := disk.Layout(ctx)
	if err != nil {
		return err
	}
	defer layout.Close()
	plan, err := image.Build(ctx, *output, layout.Layout, image.Options{})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, `%s
boot it by BIOS, or by UEFI:
  qemu-system-x86_64 -m 1G -nographic -drive format=raw,file=%s
  qemu-system-x86_64 -m 1G -nographic -drive format=raw,file=%[2]s -bios /usr/share/ovmf/OVMF.fd
`, plan, *output)
	return nil
}

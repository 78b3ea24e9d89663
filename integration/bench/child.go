package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/iso9660"
)

// childArg is the first argument of this program where it is one of its own
// contenders. What to do is in the other arguments and in the environment.
const childArg = "child"

func runChild(ctx context.Context, args []string) error {
	out := os.Getenv("OUT")
	switch args[0] {
	case "tree":
		s, err := parseSpec(args[1:])
		if err != nil {
			return err
		}
		if err := makeTree(s); errors.Is(err, errLeftOut) {
			fmt.Println(err)
		} else if err != nil {
			return err
		}
		return nil
	case "pack":
		var dirs []string
		for _, name := range args[1:] {
			dirs = append(dirs, os.Getenv(name))
		}
		return pack(out, dirs)
	case "sha256":
		return sumVolume()
	case "verity":
		return profiled("verity-"+filepath.Base(out), func() error { return hashVolume(ctx, out) })
	case "diskfs-ext4", "diskfs-fat", "diskfs-disk":
		return writeDiskfs(args[0], out)
	}
	return profiled(args[0]+"-"+filepath.Base(out), func() error { return build(ctx, args[0], out) })
}

// profiled calls do, and writes a CPU profile and a profile of all allocations of
// it where that is asked for.
func profiled(name string, do func() error) error {
	dir := os.Getenv("PROFILE")
	if dir == "" {
		return do()
	}
	cpu, err := os.Create(filepath.Join(dir, name+".cpu"))
	if err != nil {
		return err
	}
	defer cpu.Close()
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return err
	}
	err = do()
	pprof.StopCPUProfile()
	if err != nil {
		return err
	}
	allocs, err := os.Create(filepath.Join(dir, name+".allocs"))
	if err != nil {
		return err
	}
	defer allocs.Close()
	return pprof.Lookup("allocs").WriteTo(allocs, 0)
}

// build is our own contender: what a user of package image does.
func build(ctx context.Context, name, out string) error {
	e := environment{}
	l := image.Layout{
		Table: image.NoTable,
		Seed:  uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001"),
		Time:  time.Unix(1_700_000_000, 0),
	}
	var content []io.Closer
	defer func() {
		for _, c := range content {
			_ = c.Close()
		}
	}()
	from := func(variable string) *filetree.Tree {
		t, err := filetree.FromDir(os.Getenv(variable))
		if err != nil {
			e.err = errors.Join(e.err, err)
			return nil
		}
		content = append(content, t)
		return t
	}
	if name == "fat" || name == "disk" {
		l.Partitions = append(l.Partitions, image.Partition{Name: "esp", Type: image.ESP,
			Size: e.number("BOOTSIZE"), Content: &fat.FileSystem{Tree: from("BOOT"), Type: fat.FAT32}})
	}
	switch name {
	case "fat":
	case "erofs":
		l.Partitions = append(l.Partitions, image.Partition{Content: &erofs.FileSystem{Tree: from("TREE")}})
	case "iso9660": // without the extended attributes, as its peers
		l.Partitions = append(l.Partitions, image.Partition{Content: &iso9660.FileSystem{Tree: from("TREE"), Drop: true}})
	case "squashfs-zstd", "squashfs-gzip", "squashfs-none":
		fs, err := newSquashfs(strings.TrimPrefix(name, "squashfs-"), from("TREE"))
		e.err = errors.Join(e.err, err)
		content = append(content, fs)
		l.Partitions = append(l.Partitions, image.Partition{Content: fs})
	case "many":
		debug.SetGCPercent(25) // as mkimage does
		l.Partitions = append(l.Partitions, image.Partition{Content: &ext4.FileSystem{Tree: from("TREE")}})
	default:
		l.Partitions = append(l.Partitions, image.Partition{Name: "root", Type: image.Root,
			Size: e.number("SIZE"), Content: &ext4.FileSystem{Tree: from("TREE"), Inodes: e.number("INODES"), ReservedPercent: ext4.None}})
	}
	if name == "disk" {
		l.Table = image.GPT
		l.Size = e.number("DISKSIZE")
	}
	if e.err != nil {
		return e.err
	}
	_, err := image.Build(ctx, out, l, image.Options{})
	return err
}

// environment reads numbers from the environment and keeps the errors.
type environment struct{ err error }

func (e *environment) number(name string) int64 {
	n, err := strconv.ParseInt(os.Getenv(name), 10, 64)
	if err != nil {
		e.err = errors.Join(e.err, fmt.Errorf("%s: %w", name, err))
	}
	return n
}

// Command quickstart builds a partitioned disk image from a directory, reads it
// back, attaches it, mounts its file systems, compares every file and cleans up.
//
//	go run ./examples/quickstart [DIR]
//
// Without DIR it takes the source tree of the Go installation. The image is built
// and read back by anybody; attaching and mounting it need root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprintln(stderr, "usage: quickstart [DIR]") }
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 1 {
		return fmt.Errorf("%d arguments: want at most one, a directory", flags.NArg())
	}
	dir, err := source(ctx, flags.Arg(0))
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "quickstart")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	q := &quickstart{out: stdout, dir: dir, name: filepath.Join(temp, "disk.img")}
	for _, step := range []func(context.Context) error{q.read, q.build, q.readBack, q.attach} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// source returns the directory to build from: the one given, or Go's own sources.
func source(ctx context.Context, dir string) (string, error) {
	if dir == "" {
		out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
		if err != nil {
			return "", fmt.Errorf("asking go for its sources: %w: name a directory", err)
		}
		dir = filepath.Join(strings.TrimSpace(string(out)), "src")
	}
	if info, err := os.Stat(dir); err != nil {
		return "", err
	} else if !info.IsDir() {
		return "", fmt.Errorf("%s is not a directory", dir)
	}
	return dir, nil
}

// quickstart is one run.
type quickstart struct {
	out  io.Writer
	dir  string // what the image is built from
	name string // of the image
	tree *filetree.Tree
	plan *image.Plan
}

// step prints what is done, and when it is done, what came of it and how long it
// took.
func (q *quickstart) step(what string) (done func(format string, args ...any)) {
	start := time.Now()
	fmt.Fprintf(q.out, "%s\n", what)
	return func(format string, args ...any) {
		fmt.Fprintf(q.out, "    %s (%s)\n", fmt.Sprintf(format, args...), time.Since(start).Round(time.Millisecond))
	}
}

func (q *quickstart) read(context.Context) (err error) {
	done := q.step("read " + q.dir)
	if q.tree, err = filetree.FromDir(q.dir); err != nil {
		return err
	}
	done("%d files and directories", q.tree.Len())
	return nil
}

func (q *quickstart) build(ctx context.Context) (err error) {
	done := q.step("build a GPT disk: an EFI system partition with FAT, a root partition with ext4")
	boot := filetree.New()
	if _, err := boot.Add("EFI/BOOT/README.TXT", filetree.File([]byte("A boot loader would be here.\r\n"), 0o644)); err != nil {
		return err
	}
	layout := image.Layout{Partitions: []image.Partition{
		{Name: "esp", Type: image.ESP, Size: 64 * image.MiB, Content: &fat.FileSystem{Tree: boot, Label: "ESP"}},
		{Name: "root", Type: image.Root, FreePercent: 25, Content: &ext4.FileSystem{Tree: q.tree, Label: "root"}},
	}}
	tenths := int64(0)
	q.plan, err = image.Build(ctx, q.name, layout, image.Options{Progress: func(p image.Progress) {
		for ; tenths < 10*p.Done/p.Total; tenths++ {
			fmt.Fprintf(q.out, "    %3d%% %s\n", 10*(tenths+1), p.Region)
		}
	}})
	if err != nil {
		return err
	}
	done("%s", filepath.Base(q.name))
	fmt.Fprintf(q.out, "\n%s\n", q.plan)
	return nil
}

// readBack reads the image by the readers of package image, which need no root.
func (q *quickstart) readBack(ctx context.Context) error {
	done := q.step("read the image back, as anybody may")
	n, err := q.compareImage(ctx)
	if err != nil {
		return err
	}
	done("%d names compared: owners, permissions, times, attributes, links, and every byte", n)
	return nil
}

// compareImage compares the root partition of the image with the source and
// returns how many names it has.
func (q *quickstart) compareImage(ctx context.Context) (int, error) {
	disk, err := image.Open(q.name)
	if err != nil {
		return 0, err
	}
	defer disk.Close()
	files, err := disk.FS(2)
	if err != nil {
		return 0, err
	}
	got, err := filetree.FromFS(files)
	if err != nil {
		return 0, err
	}
	defer got.Close()
	return q.compare(ctx, got)
}

// compare compares a tree with the source and returns how many names it has.
func (q *quickstart) compare(ctx context.Context, got *filetree.Tree) (int, error) {
	diff, err := filetree.Diff(ctx, q.tree, got, filetree.DiffOptions{
		Limit: 10,
		Skip:  func(path string) bool { return path == "lost+found" },
	})
	if err != nil {
		return 0, err
	}
	for _, d := range diff {
		fmt.Fprintf(q.out, "    %s\n", d)
	}
	if len(diff) > 0 {
		return 0, fmt.Errorf("%s: what was read back differs from what was built", q.name)
	}
	return q.tree.Len(), nil
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// config is what the flags say.
type config struct {
	dir     string
	size    bytesFlag // of all contents
	files   int
	sparse  bytesFlag // of one more file
	rounds  int
	only    string
	profile string
	keep    bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == childArg {
		return runChild(ctx, args[1:])
	}
	c := config{size: 512 << 20}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.dir, "dir", "", "work in a temporary directory below `DIR` (default: the system's)")
	flags.Var(&c.size, "size", "`BYTES` in all files of the tree together")
	flags.IntVar(&c.files, "files", 5000, "regular files in the tree")
	flags.Var(&c.sparse, "sparse", "add a file of so many `BYTES` to the tree, nearly all of it a hole")
	flags.IntVar(&c.rounds, "rounds", 5, "measured runs of each contender, after one that is not measured")
	flags.StringVar(&c.only, "only", "", "run only the contenders whose group/name `REGEXP` matches")
	flags.StringVar(&c.profile, "profile", "", "write profiles of the CPU and of allocations of each of our own runs into `DIR`")
	flags.BoolVar(&c.keep, "keep", false, "keep the trees and the last image of each contender")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("argument %q: want flags only", flags.Arg(0))
	case c.rounds < 1 || c.files < 1 || c.size < 1 || c.sparse < 0:
		return fmt.Errorf("%d rounds, %d files, %d bytes, %d sparse: want at least 1, 1, 1 and 0", c.rounds, c.files, c.size, c.sparse)
	}
	only, err := c.regexp()
	if err != nil {
		return err
	}
	return c.run(ctx, only, stdout, stderr)
}

// regexp returns what says which contenders to run.
func (c *config) regexp() (*regexp.Regexp, error) {
	only, err := regexp.Compile(c.only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	return only, nil
}

func (c *config) run(ctx context.Context, only *regexp.Regexp, stdout, stderr io.Writer) error {
	dir, err := os.MkdirTemp(c.dir, "bench-")
	if err != nil {
		return err
	}
	if c.keep {
		fmt.Fprintln(stderr, "kept:", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	w, err := newWork(ctx, c, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s, %d CPUs, %s; tree of %s in %d files", runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU(), runtime.Version(), &c.size, c.files)
	if c.sparse > 0 {
		fmt.Fprintf(stdout, " and a sparse one of %s", &c.sparse)
	}
	fmt.Fprintf(stdout, "; medians of %d after a warm-up\n", c.rounds)
	for _, note := range w.notes {
		fmt.Fprintln(stdout, "note:", note)
	}
	for _, g := range w.groups() {
		if err := g.measure(ctx, w, only, stderr); err != nil {
			return err
		}
		g.print(stdout, w)
	}
	return nil
}

// bytesFlag is a size such as 512MiB.
type bytesFlag int64

var units = []struct {
	name string
	size int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

// String implements flag.Value.
func (b *bytesFlag) String() string {
	for _, u := range units {
		if n := int64(*b); n != 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return "0"
}

// Set implements flag.Value.
func (b *bytesFlag) Set(s string) error {
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 0 || n > 1<<62/u.size {
			break
		}
		*b = bytesFlag(n * u.size)
		return nil
	}
	return errors.New("want a number of bytes, or of KiB, MiB, GiB or TiB: 512MiB")
}

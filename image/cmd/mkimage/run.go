package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// env is what a command works with.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// command is one of mkimage's commands.
type command struct {
	name string
	args []string // what its arguments are called
	// flags declares the command's flags and returns what runs it.
	flags func(f *flag.FlagSet) func(ctx context.Context, e env, args []string) error
}

// commands are in the order in which people come to need them.
var commands = []command{
	{"plan", []string{"SPEC"}, planCommand},
	{"build", []string{"SPEC"}, buildCommand},
	{"inspect", []string{"IMAGE"}, inspectCommand},
	{"verify", []string{"IMAGE", "SPEC"}, verifyCommand},
}

// run runs mkimage with the arguments that follow its name.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	e := env{stdin, stdout, stderr}
	if len(args) == 0 {
		return usageError{err: errors.New("no command: want build, plan, inspect or verify")}
	}
	name, args := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		return help(e, args)
	}
	for _, c := range commands {
		if c.name == name {
			return c.run(ctx, e, args)
		}
	}
	return usageError{err: fmt.Errorf("%q is not a command: want build, plan, inspect or verify", name)}
}

func (c command) run(ctx context.Context, e env, args []string) error {
	f := flag.NewFlagSet(c.name, flag.ContinueOnError)
	f.SetOutput(io.Discard) // its errors are told by main
	do := c.flags(f)
	args, err := parse(f, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return help(e, []string{c.name})
	case err != nil:
		return usageError{c.name, err}
	case len(args) != len(c.args):
		return usageError{c.name, fmt.Errorf("%s: %d arguments: want %s", c.name, len(args), strings.Join(c.args, " and "))}
	}
	err = do(ctx, e, args)
	var usage usageError
	if errors.As(err, &usage) {
		return usageError{c.name, usage.err}
	}
	return err
}

// parse parses flags that may stand before, between and behind the arguments,
// which it returns. After "--" there are no flags.
func parse(f *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		parsed := len(args) - f.NArg()
		if parsed > 0 && args[parsed-1] == "--" || f.NArg() == 0 {
			return append(rest, f.Args()...), nil
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
}

// abandon calls fn and does not wait for it any longer when the context ends. It
// is for what a context cannot interrupt, such as reading from a pipe, and what
// leaves nothing when the process ends, as it is about to.
func abandon[T any](ctx context.Context, fn func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := fn()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// baseName returns what a spec or an image is called in a line of progress.
func baseName(name string) string {
	if name == "-" {
		return "stdin"
	}
	return filepath.Base(name)
}

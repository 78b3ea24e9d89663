package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/drivebay/drivebay/integration/vm"
	"github.com/drivebay/drivebay/integration/vm/guest"
	"github.com/drivebay/drivebay/integration/vm/kernel"
)

// Exit statuses of vmexec's own.
const (
	statusUsage   = 2
	statusTrouble = 125 // as env and timeout have it
)

// passedOn are the signals that are for the program in the guest.
var passedOn = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP}

func main() {
	guest.Main()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, passedOn...)
	status, err := run(context.Background(), os.Args[1:], guest.Streams{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Signals: signals,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "vmexec:", err)
	}
	os.Exit(status)
}

// run does all of the command's work and returns its exit status.
func run(ctx context.Context, args []string, streams guest.Streams) (int, error) {
	o, err := parse(args, streams.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0, nil
	case err != nil:
		return statusUsage, err
	case o.fetch:
		return fetch(ctx, streams.Stdout, o.arch)
	}
	arch, err := o.architecture()
	if err != nil {
		return statusTrouble, err
	}
	k, err := findKernel(o.kernel, arch)
	if err != nil {
		return statusTrouble, err
	}
	program, err := o.program(k)
	if err != nil {
		return statusTrouble, err
	}
	machine, err := o.machine()
	if err != nil {
		return statusUsage, err
	}
	whole := guest.Machine(machine, program)
	if _, err := whole.Command(); err != nil {
		return statusUsage, err
	}
	if o.print {
		return printCommand(streams.Stdout, whole)
	}
	status, err := guest.Run(ctx, machine, program, streams)
	if err != nil {
		return statusTrouble, err
	}
	if o.verbose {
		fmt.Fprintf(streams.Stderr, "vmexec: kernel %s, packed in %d ms, booted in %d ms\n",
			k.Release, status.Packed.Milliseconds(), status.Booted.Milliseconds())
	}
	if status.Signal != 0 {
		return status.Code, fmt.Errorf("%s: signal: %v", program.Path, syscall.Signal(status.Signal))
	}
	return status.Code, nil
}

// fetch brings the kernels that suites run on, or those of another architecture.
func fetch(ctx context.Context, stdout io.Writer, arch string) (int, error) {
	ctx, stop := signal.NotifyContext(ctx, passedOn...) // there is no program yet
	defer stop()
	packages := kernel.Packages()
	if arch == "arm64" {
		packages = kernel.Foreign()
	}
	for _, p := range packages {
		k, err := kernel.Fetch(ctx, p)
		if err != nil {
			return statusTrouble, err
		}
		fmt.Fprintf(stdout, "%s %s\n", k.Release, k.Image)
	}
	return 0, nil
}

// findKernel returns the kernel that -kernel means for an architecture.
func findKernel(name, arch string) (*kernel.Kernel, error) {
	if strings.Contains(name, "/") {
		return kernel.Open(name)
	}
	var hostErr error
	if name == "" {
		k, err := kernel.Host()
		switch {
		case err == nil && k.Arch == arch:
			return k, nil
		case err == nil:
			err = fmt.Errorf("the host's is for %s, the program for %s", k.Arch, arch)
		}
		hostErr = err
	}
	fetched, err := kernel.Fetched(arch)
	if err != nil {
		return nil, err
	}
	for _, k := range fetched {
		if k.Release == name || strings.HasPrefix(k.Release, name+".") || name == "" {
			return k, nil
		}
	}
	if name == "" {
		return nil, fmt.Errorf("no kernel: %w; none was fetched: run %s, or name one with -kernel", hostErr, fetchCommand(arch))
	}
	return nil, fmt.Errorf("no kernel %s was fetched: there are %s; run %s, or name an image with -kernel",
		name, releases(fetched), fetchCommand(arch))
}

// fetchCommand is what brings kernels for an architecture.
func fetchCommand(arch string) string {
	if arch == "amd64" {
		return "vmexec -fetch"
	}
	return "vmexec -fetch -arch " + arch
}

func releases(kernels []*kernel.Kernel) string {
	var names []string
	for _, k := range kernels {
		names = append(names, k.Release)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// printCommand prints QEMU's command line, quoted for a shell.
func printCommand(stdout io.Writer, m vm.Machine) (int, error) {
	if m.Accelerator == "" {
		m.Accelerator = vm.Accelerators(m.Arch)[0]
	}
	args, err := m.Command()
	if err != nil {
		return statusUsage, err
	}
	for i, arg := range args {
		args[i] = quote(arg)
	}
	_, err = fmt.Fprintln(stdout, strings.Join(args, " "))
	return 0, err
}

func quote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:+@%", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/drivebay/drivebay/integration/vm/guest"
	"github.com/drivebay/drivebay/integration/vm/kernel"
)

// options are what flags and the file of -config say.
type options struct {
	kernel  string
	arch    string
	memory  string
	cpus    int
	accel   string
	cmdLine string
	config  string
	scratch string

	modules, onDemand, files, tools, nvme list

	udev, fetch, print, verbose bool

	command []string
}

// list is a flag that may be given several times, with commas in one.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	*l = append(*l, s)
	return nil
}

// onDemand are modules that tests of storage may cause a kernel to load.
var onDemand = []string{
	"vfat", "nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8", "squashfs", "erofs", "fuse", "overlay", "isofs",
}

func (o *options) flags(output io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet("vmexec", flag.ContinueOnError)
	f.SetOutput(output)
	f.Usage = func() {
		fmt.Fprintln(output, "usage: vmexec [flags] program [arguments]\n\nRuns a program in a virtual machine. Flags:")
		f.PrintDefaults()
	}
	f.StringVar(&o.kernel, "kernel", "", "`image` of a kernel, or the release of a fetched one (6.12)")
	f.StringVar(&o.arch, "arch", "", "`architecture` of the guest, amd64 or arm64; empty takes the program's, and amd64 with -fetch")
	f.StringVar(&o.memory, "memory", "1G", "`size` of the guest's memory: 512M, 2G")
	f.IntVar(&o.cpus, "cpus", 1, "`number` of processors")
	f.StringVar(&o.accel, "accel", "", "tcg or kvm; empty takes kvm where it boots")
	f.StringVar(&o.cmdLine, "append", "", "further `arguments` of the kernel")
	f.StringVar(&o.config, "config", "", "`file` with one flag on each line, as name=value")
	f.Var(&o.modules, "module", "`module` to load, with parameters (\"loop max_part=15\"); repeat it for more (default loop)")
	f.Var(&o.onDemand, "ondemand", "`module` that may be loaded later; repeat it for more (vfat and others always may)")
	f.Var(&o.files, "file", "file or directory to pack, under the same `path`; repeat it for more")
	f.Var(&o.tools, "tool", "`program` of this machine to pack, with its libraries; repeat it for more")
	f.Var(&o.nvme, "nvme", "an NVMe drive in memory, by `properties`: size=64M,block=4096,ms=8,pi=1,hotplug=true, or subsystem=s,nsid=2,shared=true,detached=true; repeat it for more")
	f.StringVar(&o.scratch, "scratch", "", "`size` of an ext4 file system at /var/tmp, which becomes TMPDIR too: 512M")
	f.BoolVar(&o.udev, "udev", false, "run this machine's udevd in the guest")
	f.BoolVar(&o.fetch, "fetch", false, "bring Debian's kernels into the cache, and exit")
	f.BoolVar(&o.print, "print", false, "print QEMU's command, and exit")
	f.BoolVar(&o.verbose, "v", false, "tell the kernel and the times on standard error")
	return f
}

// parse reads the flags of the environment, of the configuration file and of the
// command line, the later ones above the earlier.
func parse(args []string, output io.Writer) (*options, error) {
	o := &options{}
	f := o.flags(output)
	if err := f.Parse(strings.Fields(os.Getenv("VMEXEC"))); err != nil {
		return nil, fmt.Errorf("environment variable VMEXEC: %w", err)
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("environment variable VMEXEC: %q is no flag", f.Arg(0))
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if o.config != "" {
		if err := o.readConfig(f); err != nil {
			return nil, err
		}
		if err := f.Parse(args); err != nil { // the command line above the file
			return nil, err
		}
	}
	o.command = f.Args()
	if !slices.Contains([]string{"", "amd64", "arm64"}, o.arch) {
		return nil, fmt.Errorf("flag -arch: architecture %q, want amd64 or arm64", o.arch)
	}
	if len(o.command) == 0 && !o.fetch {
		f.Usage()
		return nil, errors.New("no program is given")
	}
	if len(o.modules) == 0 {
		o.modules = list{"loop"}
	}
	return o, nil
}

// readConfig sets the flags that a file names. Lists of the command line, which
// was read before, begin anew.
func (o *options) readConfig(f *flag.FlagSet) error {
	file, err := os.Open(o.config)
	if err != nil {
		return err
	}
	defer file.Close()
	o.modules, o.onDemand, o.files, o.tools, o.nvme = nil, nil, nil, nil, nil
	s := bufio.NewScanner(file)
	for number := 1; s.Scan(); number++ {
		line := strings.TrimSpace(s.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			value = "true"
		}
		if err := f.Set(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("%s:%d: %w", o.config, number, err)
		}
	}
	return s.Err()
}

// architecture returns the guest's.
func (o *options) architecture() (string, error) {
	if o.arch != "" {
		return o.arch, nil
	}
	return guest.Arch(o.command[0])
}

// initFor returns the path of the build of vmexec that becomes the init of a guest of
// an architecture, "" for this one.
func initFor(arch string) (string, error) {
	if arch == runtime.GOARCH || arch == "amd64" && runtime.GOARCH == "386" {
		return "", nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), "vmexec-"+arch)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("guests of %s want an init of theirs, at %s: build it with GOARCH=%[1]s CGO_ENABLED=0 go build -o %[2]s github.com/drivebay/drivebay/integration/cmd/vmexec", arch, path)
	}
	return path, nil
}

// killDelay is how long a test binary may take to die of its own -timeout, in which it
// prints all goroutines, before its guest is ended.
const killDelay = time.Minute

// program describes what runs in the guest.
func (o *options) program(k *kernel.Kernel) (guest.Program, error) {
	path, err := filepath.Abs(o.command[0])
	if err != nil {
		return guest.Program{}, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return guest.Program{}, err
	}
	init, err := initFor(k.Arch)
	if err != nil {
		return guest.Program{}, err
	}
	p := guest.Program{
		Init: init, Path: path, Args: o.command[1:], Env: environment(), Dir: dir, Kernel: k,
		Modules: o.modules, OnDemand: slices.Concat(onDemand, o.onDemand),
		Tools: o.tools, Udev: o.udev,
	}
	if o.scratch != "" {
		p.Mounts = []guest.Mount{{Serial: scratchID, Target: scratchDir, Type: "ext4"}}
		p.Modules = append(p.Modules, "nvme", "ext4")
		p.Env = append(p.Env, "TMPDIR="+scratchDir)
	}
	for _, file := range o.files {
		file, err := filepath.Abs(file)
		if err != nil {
			return guest.Program{}, err
		}
		p.Files = append(p.Files, file)
	}
	if t := parseTest(o.command[1:], dir); t.isTest {
		files, err := packageFiles(dir)
		if err != nil {
			return guest.Program{}, err
		}
		p.Files = append(p.Files, files...)
		p.Collect = t.collect
		if t.timeout > 0 {
			p.Limit = t.timeout + killDelay
		}
	}
	return p, nil
}

// environment is the host's, less what names its directories and programs.
func environment() (env []string) {
	for _, variable := range os.Environ() {
		switch name, _, _ := strings.Cut(variable, "="); name {
		case "PATH", "HOME", "TMPDIR", "VMEXEC":
		default:
			env = append(env, variable)
		}
	}
	return append(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TMPDIR=/tmp")
}

package guest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/drivebay/drivebay/integration/vm"
)

// Time limits from QEMU's start to init's first word. Under TCG a busy host may
// give a guest a twentieth of a processor. They are variables for the tests' sake, as
// is what the host has.
var (
	bootLimitKVM = 20 * time.Second
	bootLimitTCG = 3 * time.Minute
	accelerators = vm.Accelerators
)

// cmdLine are the kernel's arguments: those that let it report and end, then those
// that spare it work which no test wants done. A caller's own follow them.
var cmdLine = []string{
	"panic=-1", "quiet",
	"nokaslr", "mitigations=off", "rodata=off", "cryptomgr.notests", "random.trust_cpu=on",
	"no_timer_check", "rcupdate.rcu_expedited=1", "nmi_watchdog=0", "audit=0", "net.ifnames=0",
	"init_on_alloc=0", "apparmor=0",
	// A generator of random numbers that tests itself for a quarter of a second, a
	// derivation of keys that does for a twentieth, and names of constants in traces.
	"initcall_blacklist=jent_mod_init,crypto_kdf108_init,trace_eval_init",
}

// Run runs the program in the machine, whose kernel, initramfs and serial ports it
// sets, and waits for its end. A machine without an accelerator gets the fastest
// that boots. A guest that does not boot in time is started a second time, then
// given up.
//
// The error is nil whenever the program has run to an end, however that was: see
// [Status]. Else it is an [ErrBoot], [ErrDied], [ErrInit], [ErrMemory], [ErrStuck], a
// *[ProgramError], an error of packages kernel or vm, or that of ctx; with the
// console's last lines where there was one, as a *[ConsoleError].
func Run(ctx context.Context, m vm.Machine, p Program, s Streams) (Status, error) {
	if runtime.GOOS != "linux" {
		return Status{}, fmt.Errorf("run %s in a guest: %w", p.Path, errors.ErrUnsupported)
	}
	begin := time.Now()
	archive, err := packFile(&m, p)
	if err != nil {
		return Status{}, err
	}
	defer archive.Close()
	packed := time.Since(begin)

	status, err := attempts(ctx, m, p, s)
	status.Packed = packed
	if err != nil {
		return status, fmt.Errorf("run %s in a guest: %w", p.Path, err)
	}
	return status, nil
}

// Machine returns the machine that [Run] starts for a program, but for the path of
// the initramfs and for what is in memory.
func Machine(m vm.Machine, p Program) vm.Machine {
	m.Arch = vm.Arch(p.Kernel.Arch)
	m.Kernel = p.Kernel.Image
	if p.Kernel.ELF != "" {
		m.Kernel = p.Kernel.ELF
	}
	m.Serial = max(m.Serial, 1)
	m.CmdLine = slices.Concat([]string{"console=" + archOf(p.Kernel.Arch).console}, cmdLine, m.CmdLine)
	m.Initramfs = "initramfs"
	return m
}

// packFile completes the machine; the file has to stay open as long as it runs.
func packFile(m *vm.Machine, p Program) (*os.File, error) {
	archive, err := Pack(p)
	if err != nil {
		return nil, err
	}
	f, size, err := archiveFile(archive)
	if err != nil {
		return nil, fmt.Errorf("pack guest: %w", err)
	}
	*m = Machine(*m, p)
	m.Initramfs = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())
	if has, want := cmp.Or(m.Memory, vm.DefaultMemory), 2*size+baseMemory; has < want {
		_ = f.Close()
		return nil, fmt.Errorf("pack guest: %w: the machine has %d MiB, a kernel with an initramfs of %d MiB wants %d MiB",
			ErrMemory, has>>20, (size+1<<20-1)>>20, (want+1<<20-1)>>20)
	}
	return f, nil
}

// baseMemory in bytes is what a distribution's kernel takes for itself, with init.
// An initramfs is there twice while it is unpacked.
const baseMemory = 160 << 20

// attempts starts the machine until it boots.
func attempts(ctx context.Context, m vm.Machine, p Program, s Streams) (Status, error) {
	choice := []vm.Accelerator{m.Accelerator}
	if m.Accelerator == "" {
		choice = accelerators(m.Arch)
	}
	choice = append(choice, choice[len(choice)-1])
	var status Status
	var err error
	for _, a := range choice {
		m.Accelerator = a
		status, err = attempt(ctx, m, p, s)
		var panicked *vm.PanicError
		again := errors.Is(err, ErrBoot) && ctx.Err() == nil && (a == vm.KVM || !errors.As(err, &panicked))
		if !again {
			if a == vm.TCG && choice[0] == vm.KVM && status.Booted > 0 {
				_ = vm.RefuseKVM() // at worst the next run tries it again
			}
			break
		}
	}
	return status, err
}

func attempt(ctx context.Context, m vm.Machine, p Program, s Streams) (Status, error) {
	begin := time.Now()
	guest, err := vm.Start(ctx, m)
	switch {
	case err != nil && m.Accelerator == vm.KVM:
		return Status{}, fmt.Errorf("%w: %w", ErrBoot, err) // with TCG it may
	case err != nil:
		return Status{}, err
	}
	session := newSession(guest, p, s)
	go session.read()
	defer session.end()
	limit := bootLimitTCG
	if m.Accelerator == vm.KVM {
		limit = bootLimitKVM
	}
	err = session.waitBoot(ctx, limit)
	if by, ok := errors.AsType[signaled](err); ok {
		return by.status(), nil
	}
	if err != nil {
		return Status{}, withConsole(err, guest)
	}
	booted := time.Since(begin)
	status, err := session.waitExit(ctx)
	status.Booted = booted
	if err != nil {
		return status, withConsole(err, guest)
	}
	return status, nil
}

// What an error shows of the console's end: a panic takes some 50 lines.
const (
	consoleLines = 60
	consoleBytes = 16 << 10
)

func withConsole(err error, guest *vm.VM) error {
	text := strings.TrimSpace(guest.Console())
	lines := strings.Split(text[max(0, len(text)-consoleBytes):], "\n")
	lines = lines[max(0, len(lines)-consoleLines):]
	return &ConsoleError{Err: err, Console: strings.Join(lines, "\n")}
}

package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
)

// VM is a machine that has been started. Its methods may be called at the same
// time.
type VM struct {
	qmp     *qmp
	console ring
	stderr  ring
	serial  []*os.File // closed by Kill
	files   []*os.File // QMP's and the console's, closed when the machine has ended

	done chan struct{} // closed when it has ended
	err  error         // why, once done is closed

	killOnce sync.Once
	kill     chan struct{}

	mu      sync.Mutex
	plugged map[string]Device
	memory  map[string]*os.File // of disks in memory, by path
}

// Wait waits until the machine has ended: its guest powered off or restarted, or
// [VM.Kill] was called, which are no errors. A kernel that panicked is a
// *[PanicError], trouble of QEMU itself an *[ExitError].
func (v *VM) Wait() error {
	<-v.done
	return v.err
}

// Done returns a channel that is closed when the machine has ended.
func (v *VM) Done() <-chan struct{} { return v.done }

// Kill ends the machine at once, as pulling the plug would, and waits until QEMU
// is gone. It closes the serial ports: call it for a machine that has ended, too.
func (v *VM) Kill() {
	v.killOnce.Do(func() { close(v.kill) })
	<-v.done
	_ = closeFiles(v.serial) // but for the first call they are closed already
}

// Console returns the last of what the guest wrote to its console: 256 KiB.
func (v *VM) Console() string { return v.console.text() }

// Serial returns the host's end of a serial port besides the console, from 1 to
// [Machine.Serial]: the guest's is /dev/ttyS1 and so on, of ARM64 /dev/ttyS0 and so
// on, where the console is /dev/ttyAMA0. It has to be read: a guest whose bytes are not
// taken waits, some hundred bytes later. What it wrote can be read after the machine's
// end as well. The port belongs to the machine: [VM.Kill] closes it.
func (v *VM) Serial(number int) *os.File { return v.serial[number-1] }

// Execute runs a QMP command: arguments and result are what JSON can hold, or nil.
// A refusal is a *[QMPError].
func (v *VM) Execute(ctx context.Context, command string, arguments, result any) error {
	return v.qmp.execute(ctx, command, arguments, result)
}

// WaitEvent waits for an event with a name that has happened or will.
func (v *VM) WaitEvent(ctx context.Context, name string) (Event, error) {
	e, err := v.qmp.wait(ctx, 0, func(e Event) bool { return e.Name == name })
	if err != nil {
		return Event{}, fmt.Errorf("wait for the event %s: %w", name, err)
	}
	return e, nil
}

// PowerDown presses the power button. A guest that listens to it ends.
func (v *VM) PowerDown(ctx context.Context) error {
	return v.Execute(ctx, "system_powerdown", nil, nil)
}

// Reset presses the reset button: the guest boots again, with the disks of the
// machine as they are. It returns when the machine has been reset. From then on a
// guest that restarts by itself boots again too, and does not end the machine: a
// BIOS restarts once more on its own.
func (v *VM) Reset(ctx context.Context) error {
	mark := v.qmp.mark()
	if err := v.Execute(ctx, "set-action", map[string]any{"reboot": "reset"}, nil); err != nil {
		return err
	}
	if err := v.Execute(ctx, "system_reset", nil, nil); err != nil {
		return err
	}
	if _, err := v.qmp.wait(ctx, mark, func(e Event) bool { return e.Name == "RESET" }); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return nil
}

// Plug plugs a device into the running machine: a [Virtio] disk, or an [NVMe]
// controller with at most one namespace, either in a free [RootPort].
func (v *VM) Plug(ctx context.Context, d Device) error {
	if err := d.check(); err != nil {
		return fmt.Errorf("plug %s: %w", d.id(), err)
	}
	if n, ok := d.(*NVMe); ok && (n.Port == "" || len(n.Namespaces) > 1) {
		return fmt.Errorf("plug %s: %w: an NVMe drive is plugged into a root port, with one namespace at most", d.id(), ErrMachine)
	}
	if err := v.makeDisks(ctx, d); err != nil {
		return fmt.Errorf("plug %s: %w", d.id(), err)
	}
	for i, s := range d.steps() {
		if err := v.Execute(ctx, s.command(), s.properties, nil); err != nil {
			// What was done before the failure is taken back.
			return errors.Join(fmt.Errorf("plug %s: %w", d.id(), err), v.release(ctx, d, i))
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.plugged[d.id()] = d
	return nil
}

// Unplug asks the guest to let go of a device, waits until it has, and takes the
// device out. A disk in memory is lost.
func (v *VM) Unplug(ctx context.Context, id string) error {
	mark := v.qmp.mark()
	if err := v.Execute(ctx, "device_del", map[string]any{"id": id}, nil); err != nil {
		return fmt.Errorf("unplug %s: %w", id, err)
	}
	_, err := v.qmp.wait(ctx, mark, func(e Event) bool {
		var data struct{ Device string }
		return e.Name == "DEVICE_DELETED" && json.Unmarshal(e.Data, &data) == nil && data.Device == id
	})
	if err != nil {
		return fmt.Errorf("unplug %s: %w", id, err)
	}
	v.mu.Lock()
	d := v.plugged[id]
	delete(v.plugged, id)
	v.mu.Unlock()
	if d == nil {
		return nil
	}
	return v.release(ctx, d, len(d.steps()))
}

// release deletes the block nodes among the first n steps of a device.
func (v *VM) release(ctx context.Context, d Device, n int) error {
	var errs []error
	for _, s := range slices.Backward(d.steps()[:n]) {
		if s.option == "blockdev" {
			errs = append(errs, v.Execute(ctx, "blockdev-del", map[string]any{"node-name": s.properties["node-name"]}, nil))
		}
	}
	for _, disk := range d.disks() {
		errs = append(errs, v.dropDisk(disk))
	}
	return errors.Join(errs...)
}

// makeDisks makes the memory of the disks that have no path.
func (v *VM) makeDisks(ctx context.Context, d Device) error {
	for _, disk := range d.disks() {
		if disk.Path != "" {
			continue
		}
		f, err := newMemory(d.id(), disk.Size)
		if err != nil {
			return err
		}
		disk.memory = memoryPath(f)
		v.mu.Lock()
		v.memory[disk.memory] = f
		v.mu.Unlock()
		if disk.Fill == nil {
			continue
		}
		if err := disk.Fill(ctx, f); err != nil {
			return fmt.Errorf("fill disk of %s: %w", d.id(), err)
		}
	}
	return nil
}

func (v *VM) dropDisk(d *Disk) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := v.memory[d.memory]
	delete(v.memory, d.memory)
	d.memory = ""
	if f == nil {
		return nil
	}
	return f.Close()
}

// closeAll closes what the machine holds on the host.
func (v *VM) closeAll() {
	_ = closeFiles(v.files)
	v.mu.Lock()
	defer v.mu.Unlock()
	for path, f := range v.memory {
		_ = f.Close()
		delete(v.memory, path)
	}
}

// finish turns what QEMU's end was into an error.
func (v *VM) finish(ctx context.Context, err error, killed bool) error {
	if ctx.Err() != nil && !killed {
		return context.Cause(ctx)
	}
	if found := panics.FindStringSubmatch(v.console.text()); found != nil && !killed {
		return &PanicError{Reason: found[1]}
	}
	if err == nil || killed {
		return nil
	}
	return &ExitError{Err: err, Stderr: v.stderr.text()}
}

// copyFile makes a copy in memory of a file.
func copyFile(name, path string) (*os.File, error) {
	src, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	f, err := newMemory(name, 0)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(f, src); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func closeFiles(files []*os.File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

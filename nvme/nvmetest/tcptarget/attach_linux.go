package tcptarget

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// How long to wait for the kernel in Attach and Close, and how often to look:
// sysfs does not tell when a state changes.
const (
	attachTimeout = time.Minute
	detachTimeout = time.Minute
	settleTimeout = 5 * time.Second
	sysfsPoll     = 2 * time.Millisecond
)

// Attach serves a drive on a target of its own, and lets the running kernel
// connect to it. It returns when the controller is live and all namespaces that it
// reaches have their block devices. It needs root, and the modules nvme-fabrics and
// nvme-tcp. The drive stays the caller's.
//
// The context bounds the wait for the kernel; the connection itself does not end
// with it. Without a deadline it is a minute.
func Attach(ctx context.Context, drive *nvmetest.Drive, o Options) (*Attached, error) {
	target, err := Listen(ctx, drive, o)
	if err != nil {
		return nil, err
	}
	a, err := target.Connect(ctx)
	if err != nil {
		return nil, errors.Join(err, target.Close())
	}
	a.owns = true
	return a, nil
}

// Connect lets the running kernel connect to the target, as [Attach] does. Each
// call adds a path: another controller of the drive, which the kernel puts together
// with those before it. The target stays the caller's.
func (t *Target) Connect(ctx context.Context) (*Attached, error) {
	f, err := os.OpenFile(FabricsDevice, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("tcptarget: connect: %w", err)
	}
	defer f.Close()
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, attachTimeout)
		defer cancel()
	}
	a, err := t.connectKernel(ctx, f)
	if err != nil {
		return nil, err
	}
	if err := a.waitLive(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// connectKernel lets the kernel connect.
func (t *Target) connectKernel(ctx context.Context, f *os.File) (*Attached, error) {
	options := t.kernelOptions()
	type result struct {
		answer string
		err    error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		if _, r.err = f.WriteString(options); r.err == nil {
			b := make([]byte, 128)
			var n int
			n, r.err = f.Read(b)
			r.answer = string(b[:max(n, 0)])
		}
		done <- r
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		_ = t.Close() // or else the kernel would not give up
		r = <-done
		if r.err == nil {
			r.err = context.Cause(ctx)
		}
	}
	if r.err != nil {
		return nil, fmt.Errorf("tcptarget: connect by %s to %v: %w", FabricsDevice, t.Addr(), r.err)
	}
	var instance int
	var id uint16
	if _, err := fmt.Sscanf(r.answer, "instance=%d,cntlid=%d", &instance, &id); err != nil {
		return nil, fmt.Errorf("tcptarget: %s answers %q: %w", FabricsDevice, r.answer, err)
	}
	return &Attached{Target: t, controller: t.drive.Controller(id), name: fmt.Sprintf("nvme%d", instance)}, nil
}

// kernelOptions are what to write to FabricsDevice: drivers/nvme/host/fabrics.c,
// opt_tokens.
func (t *Target) kernelOptions() string {
	host := t.o.HostNQN
	if host == "" {
		host = "nqn.2014-08.org.nvmexpress:uuid:" + t.hostID
	}
	address := t.Addr()
	ip := address.IP
	if ip.IsUnspecified() {
		ip = []byte{127, 0, 0, 1}
	}
	s := fmt.Sprintf("transport=tcp,traddr=%v,trsvcid=%d,nqn=%s,hostnqn=%s,hostid=%s,nr_io_queues=%d,"+
		"keep_alive_tmo=%d,reconnect_delay=1,ctrl_loss_tmo=%d,duplicate_connect", ip, address.Port, t.o.NQN, host, t.hostID, t.o.Queues,
		t.o.KeepAlive/time.Second, t.o.Reconnect/time.Second)
	if t.o.HeaderDigest {
		s += ",hdr_digest"
	}
	if t.o.DataDigest {
		s += ",data_digest"
	}
	return s
}

// waitLive waits for the state "live" and the block devices.
func (a *Attached) waitLive(ctx context.Context) error {
	want := len(a.controller.Reachable())
	state := "/sys/class/nvme/" + a.name + "/state"
	return poll(ctx, func() (bool, string, error) {
		b, err := os.ReadFile(state)
		if err != nil {
			return false, "", fmt.Errorf("tcptarget: %s has gone: %w", a.name, err)
		}
		if got := strings.TrimSpace(string(b)); got != "live" {
			return false, fmt.Sprintf("%s is %q, want live", a.name, got), nil
		}
		list, err := a.Namespaces()
		if err != nil {
			return false, "", err
		}
		nodes := 0
		for _, n := range list {
			reached := slices.ContainsFunc(n.Paths, func(p nvme.PathInfo) bool { return p.Controller == a.name })
			if _, err := os.Stat(n.Node); err == nil && reached {
				nodes++
			}
		}
		return nodes >= want, fmt.Sprintf("%s has %d block devices, want %d", a.name, nodes, want), nil
	})
}

// settle waits until the kernel has done with a connection that it is making. Linux
// 6.1 must not be told to delete a controller that is live, and whose keep-alive it
// is about to begin: nothing would end that any more, and its timer fires in memory
// that was freed. See the documentation of the package.
func (a *Attached) settle() {
	deadline := time.NewTimer(settleTimeout)
	defer deadline.Stop()
	for {
		changed, busy := a.Target.connecting(a.controller.ID())
		if !busy {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			return
		}
	}
}

// detach deletes the controller.
func (a *Attached) detach() error {
	a.settle()
	dir := "/sys/class/nvme/" + a.name
	err := os.WriteFile(dir+"/delete_controller", []byte("1"), 0)
	if errors.Is(err, os.ErrNotExist) {
		err = nil // the kernel has given it up
	} else if err != nil {
		err = fmt.Errorf("tcptarget: disconnect %s: %w", a.name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), detachTimeout)
	defer cancel()
	gone := poll(ctx, func() (bool, string, error) {
		_, err := os.Lstat(dir)
		return errors.Is(err, os.ErrNotExist), a.name + " is still there", nil
	})
	if !a.owns {
		return errors.Join(err, gone)
	}
	return errors.Join(err, gone, a.Target.Close())
}

// poll looks until it is done, or the context is.
func poll(ctx context.Context, look func() (done bool, state string, err error)) error {
	ticker := time.NewTicker(sysfsPoll)
	defer ticker.Stop()
	for {
		done, state, err := look()
		if done || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("tcptarget: %s: %w", state, context.Cause(ctx))
		}
	}
}

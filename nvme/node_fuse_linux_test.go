package nvme_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
)

// The kernel's NVMe driver wants a drive. Its ioctls do not: the kernel carries
// those of a file on a FUSE file system, structure in and structure out, to a
// server, which here answers as drivers/nvme/host/ioctl.c does. So what Submit
// hands to the kernel and takes from it crosses a kernel.

// Opcodes of FUSE: include/uapi/linux/fuse.h.
const (
	fuseLookup  = 1
	fuseForget  = 2
	fuseGetattr = 3
	fuseOpen    = 14
	fuseRelease = 18
	fuseInit    = 26
	fuseIoctl   = 39
)

// ioctlServer answers the ioctls of one file.
type ioctlServer struct {
	fd int
	mu sync.Mutex // held while answer runs
	// answer is given the request and the structure, which it may change; a
	// result of 0 or more is the ioctl's.
	answer func(request uint32, arg []byte) (result int32, errno unix.Errno)
}

// A kernelNode is a Node of the file. Whoever has it holds the server's mutex but
// for the time of a call: the race detector does not see that the kernel orders
// the two.
type kernelNode struct {
	node *nvme.Node
	mu   *sync.Mutex
}

func (k kernelNode) Submit(ctx context.Context, cmd nvme.Command) (nvme.Completion, error) {
	k.mu.Unlock()
	defer k.mu.Lock()
	return k.node.Submit(ctx, cmd)
}

func (k kernelNode) Operate(ctx context.Context, op nvme.Operation) error {
	k.mu.Unlock()
	defer k.mu.Lock()
	return k.node.Operate(ctx, op)
}

func (k kernelNode) NSID() (uint32, error) {
	k.mu.Unlock()
	defer k.mu.Lock()
	return k.node.NSID()
}

// openKernelNode mounts a file system with one file, and opens the file.
func openKernelNode(t *testing.T, answer func(uint32, []byte) (int32, unix.Errno)) kernelNode {
	t.Helper()
	fixture.RequireRoot(t)
	fixture.RequireFS(t, "fuse")
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	dir := t.TempDir()
	s := &ioctlServer{fd: fd, answer: answer}
	done := make(chan struct{})
	err = unix.Mount("drivebay", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd))
	if err != nil {
		_ = unix.Close(fd)
	}
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH))
		<-done // the server's read ends with the mount
		require.NoError(t, unix.Close(fd))
	})
	go func() {
		defer close(done)
		s.serve()
	}()
	// NB: os.Open would add the file to the runtime's poller, which asks the
	// server, in a system call that the scheduler does not know of: with bad luck
	// there is no thread left for the server, and both wait for good.
	path := filepath.Join(dir, "nvme0")
	file, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	f := os.NewFile(uintptr(file), path)
	t.Cleanup(func() { _ = f.Close() })
	s.mu.Lock()
	return kernelNode{nvme.NodeOf(f), &s.mu}
}

func (s *ioctlServer) serve() {
	buf := make([]byte, 1<<17)
	for {
		n, err := unix.Read(s.fd, buf)
		switch {
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT):
			continue
		case err != nil:
			return
		}
		opcode, unique := binary.LittleEndian.Uint32(buf[4:]), buf[8:16]
		body, errno := s.handle(opcode, buf[40:n])
		if opcode == fuseForget {
			continue
		}
		reply := binary.LittleEndian.AppendUint32(nil, uint32(16+len(body)))
		reply = binary.LittleEndian.AppendUint32(reply, uint32(-int32(errno)))
		reply = append(append(reply, unique...), body...)
		_, _ = unix.Write(s.fd, reply)
	}
}

func (s *ioctlServer) handle(opcode uint32, in []byte) ([]byte, unix.Errno) {
	le := binary.LittleEndian
	attr := make([]byte, 88)
	le.PutUint64(attr, 2)                       // ino
	le.PutUint32(attr[60:], unix.S_IFREG|0o600) // mode
	le.PutUint32(attr[64:], 1)                  // nlink
	switch opcode {
	case fuseInit:
		out := make([]byte, 64)
		le.PutUint32(out, 7)
		le.PutUint32(out[4:], 31)
		le.PutUint32(out[20:], 1<<16) // max_write
		return out, 0
	case fuseLookup:
		out := make([]byte, 40)
		le.PutUint64(out, 2) // nodeid
		return append(out, attr...), 0
	case fuseGetattr:
		return append(make([]byte, 16), attr...), 0
	case fuseOpen:
		return make([]byte, 16), 0
	case fuseRelease, fuseForget:
		return nil, 0
	case fuseIoctl:
		request, arg := le.Uint32(in[12:]), in[32:]
		s.mu.Lock()
		result, errno := s.answer(request, arg)
		s.mu.Unlock()
		if errno != 0 {
			return nil, errno
		}
		out := make([]byte, 16)
		le.PutUint32(out, uint32(result))
		return append(out, arg...), 0
	}
	return nil, unix.ENOSYS
}

// writeOwn writes to an address of this process, as the drive would by DMA.
func writeOwn(t *testing.T, addr uint64, b []byte) {
	local := unix.Iovec{Base: &b[0]}
	local.SetLen(len(b))
	n, err := unix.ProcessVMWritev(os.Getpid(), []unix.Iovec{local}, []unix.RemoteIovec{{Base: uintptr(addr), Len: len(b)}}, 0)
	if err != nil || n != len(b) {
		t.Errorf("write %d bytes at %#x: %d, %v", len(b), addr, n, err)
	}
}

func TestSubmitThroughTheKernel(t *testing.T) {
	ne := binary.NativeEndian
	var requests []uint32
	var args [][]byte
	no64, status := false, int32(0)
	busy := 0
	n := openKernelNode(t, func(request uint32, arg []byte) (int32, unix.Errno) {
		requests = append(requests, request)
		args = append(args, append([]byte(nil), arg...))
		switch {
		case request == 0x4e40:
			return 42, 0
		case request == 0x4e44 || request == 0x4e46:
			return 0, 0
		case request == 0x4e45:
			return 0, unix.ENOTTY
		case no64 && len(arg) == 80:
			return 0, unix.ENOTTY
		case busy > 0:
			busy--
			return 0x370, 0
		}
		if size := ne.Uint32(arg[36:]); size > 0 {
			writeOwn(t, ne.Uint64(arg[24:]), []byte("data"))
		}
		if size := ne.Uint32(arg[32:]); size > 0 {
			writeOwn(t, ne.Uint64(arg[16:]), []byte("meta"))
		}
		if len(arg) == 80 {
			ne.PutUint64(arg[72:], 0x1122334455667788)
		} else {
			ne.PutUint32(arg[68:], 0x55667788)
		}
		return status, 0
	})
	ctx := t.Context()

	id, err := n.NSID()
	require.NoError(t, err)
	require.Equal(t, uint32(42), id)
	require.NoError(t, n.Operate(ctx, nvme.ResetController))
	require.NoError(t, n.Operate(ctx, nvme.RescanNamespaces))
	require.ErrorIs(t, n.Operate(ctx, nvme.ResetSubsystem), errors.ErrUnsupported)
	require.Equal(t, []uint32{0x4e40, 0x4e44, 0x4e46, 0x4e45}, requests)

	cmd := nvme.Command{
		Opcode: 0xc2, NSID: 1, CDW2: 2, CDW3: 3, CDW10: 10, CDW11: 11, CDW12: 12, CDW13: 13, CDW14: 14, CDW15: 15,
		Data: make([]byte, 512), Metadata: make([]byte, 8), Timeout: 1500 * time.Microsecond,
	}
	want := func(result uint64) {
		t.Helper()
		requests, args = nil, nil
		clear(cmd.Data)
		done, err := n.Submit(ctx, cmd)
		require.NoError(t, err)
		require.Equal(t, nvme.Completion{Result: result, Status: nvme.Status(status)}, done)
		require.Equal(t, "data", string(cmd.Data[:4]))
		require.Equal(t, "meta", string(cmd.Metadata[:4]))
		arg := args[len(args)-1]
		require.Equal(t, []byte{0xc2, 0, 0, 0}, arg[:4])
		var dwords []uint32
		for _, off := range []int{4, 8, 12, 32, 36, 40, 44, 48, 52, 56, 60, 64} {
			dwords = append(dwords, ne.Uint32(arg[off:]))
		}
		require.Equal(t, []uint32{1, 2, 3, 8, 512, 10, 11, 12, 13, 14, 15, 2}, dwords)
	}
	want(0x1122334455667788)
	require.Equal(t, []uint32{0xc0504e47}, requests)
	for _, status = range []int32{0x4001, 0x4002, 0x4080, 0x0285, 0x600f} { // seen live
		want(0x1122334455667788)
	}
	status = 0

	// The controller is resetting, for a while, and then for longer than the context.
	busy = 2
	_, err = n.Submit(ctx, cmd)
	require.NoError(t, err)
	busy = 1 << 30
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err = n.Submit(short, cmd)
	require.ErrorIs(t, err, nvme.ErrNotLive)
	require.ErrorIs(t, err, nvme.StatusHostPathError)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	busy = 0

	// An old kernel: the 32-bit request is fallen back to, and then used at once.
	no64 = true
	want(0x55667788)
	require.Equal(t, []uint32{0xc0504e47, 0xc0484e41}, requests)
	want(0x55667788)
	require.Equal(t, []uint32{0xc0484e41}, requests)
	cmd.Queue = nvme.IOQueue
	want(0x55667788)
	require.Equal(t, []uint32{0xc0504e48, 0xc0484e43}, requests)
}

func TestErrnosOfTheKernel(t *testing.T) {
	var errno unix.Errno
	n := openKernelNode(t, func(uint32, []byte) (int32, unix.Errno) { return 0, errno })
	for _, c := range []struct {
		errno unix.Errno
		want  error
	}{
		{unix.EINTR, nvme.ErrExpired},
		{unix.EINVAL, os.ErrInvalid},
		{unix.EACCES, os.ErrPermission},
		{unix.EPERM, os.ErrPermission},
		{unix.ENODEV, unix.ENODEV},
		{unix.ENODEV, nvme.ErrGone},
		{unix.ENXIO, nvme.ErrGone},
		{unix.ENOTTY, nvme.ErrNotNVMe},
	} {
		errno = c.errno
		_, err := n.Submit(t.Context(), nvme.Command{Opcode: nvme.AdminSelfTest, NSID: 1})
		require.ErrorIs(t, err, c.want)
		require.ErrorContains(t, err, "nvme0")
	}
}

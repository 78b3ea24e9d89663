package nvme

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/nvme/internal/sys"
)

func openNull(t testing.TB) *Node {
	t.Helper()
	n, err := OpenNode(t.Context(), "/dev/null")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Close()) })
	return n
}

func TestNodeRefusesWhatIsNotNVMe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err := OpenNode(t.Context(), path)
	require.ErrorIs(t, err, ErrNotNVMe)
	require.ErrorContains(t, err, "regular file")

	_, err = OpenNode(t.Context(), path+"x")
	require.ErrorIs(t, err, os.ErrNotExist)

	n := openNull(t)
	_, err = n.Submit(t.Context(), Command{Opcode: AdminIdentify})
	require.ErrorIs(t, err, ErrNotNVMe)
	require.ErrorContains(t, err, "/dev/null")
	_, err = n.NSID()
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, n.Operate(t.Context(), ResetController), errors.ErrUnsupported)
	require.ErrorIs(t, n.Operate(t.Context(), 99), os.ErrInvalid)
}

// The 64-bit requests fall back to the 32-bit ones, for each queue on its own.
func TestNodeRemembersMissing64(t *testing.T) {
	n := openNull(t)
	_, _ = n.Submit(t.Context(), Command{Queue: IOQueue, Opcode: IOFlush})
	require.True(t, n.no64[IOQueue].Load())
	require.False(t, n.no64[AdminQueue].Load())
}

func TestNodeOwnership(t *testing.T) {
	f, err := os.Open("/dev/null")
	require.NoError(t, err)
	defer f.Close()
	given, err := NewNode(f)
	require.NoError(t, err)
	require.NoError(t, given.Close())
	_, err = f.Stat()
	require.NoError(t, err, "a file that was given stays open")

	owned, err := OpenNode(t.Context(), "/dev/null")
	require.NoError(t, err)
	require.NoError(t, owned.Close())
	require.NoError(t, owned.Close())
	_, err = owned.file.Stat()
	require.ErrorIs(t, err, os.ErrClosed)
	_, err = owned.Submit(t.Context(), Command{Opcode: AdminIdentify})
	require.ErrorIs(t, err, os.ErrClosed)
}

// Close and Submit at the same time: a command either reaches the descriptor
// or is told that it is closed.
func TestNodeCloseDuringSubmit(t *testing.T) {
	n, err := OpenNode(t.Context(), "/dev/null")
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				if _, err := n.Submit(t.Context(), Command{}); errors.Is(err, os.ErrClosed) {
					return
				}
			}
		})
	}
	require.NoError(t, n.Close())
	wg.Wait()
}

// Defect 8: what is out of range is refused before the kernel sees it, and a
// non-nil empty slice is no data.
func TestSubmitRefuses(t *testing.T) {
	n := openNull(t)
	var bad *ArgumentError
	for _, cmd := range []Command{
		{Data: make([]byte, 5)},
		{Queue: 2},
		{Timeout: -1},
		{Timeout: NoTimeout + 1},
	} {
		_, err := n.Submit(t.Context(), cmd)
		require.ErrorAs(t, err, &bad, "%+v", cmd)
		require.ErrorIs(t, err, os.ErrInvalid)
	}
	_, err := n.Submit(t.Context(), Command{Data: []byte{}, Metadata: []byte{}})
	require.ErrorIs(t, err, ErrNotNVMe)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = n.Submit(ctx, Command{})
	require.ErrorIs(t, err, context.Canceled)
}

// Defects 7 and 8: a timeout is rounded up, never to zero, and never cut to 32 bits.
func TestTimeoutIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			timeout, deadline time.Duration
			want              uint32
		}{
			{0, 0, 0},
			{1, 0, 1},
			{time.Millisecond, 0, 1},
			{time.Millisecond + 1, 0, 2},
			{0, 1, 1},
			{0, time.Second, 1000},
			{time.Hour, time.Second, 1000},
			{NoTimeout, 0, math.MaxUint32},
		} {
			ctx := t.Context()
			if c.deadline != 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.deadline)
				defer cancel()
			}
			got, err := (&Command{Timeout: c.timeout}).TimeoutIn(ctx)
			require.NoError(t, err)
			require.Equal(t, c.want, got, "%+v", c)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour*24*60)
		defer cancel()
		_, err := (&Command{}).TimeoutIn(ctx)
		require.ErrorIs(t, err, os.ErrInvalid)
		ctx, cancel = context.WithTimeout(t.Context(), -1)
		defer cancel()
		_, err = (&Command{}).TimeoutIn(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// A controller that is not live is waited for, within the context.
func TestSettle(t *testing.T) {
	type answer struct {
		status Status
		errno  unix.Errno
	}
	for _, c := range []struct {
		name    string
		answers []answer // the last is repeated
		limit   time.Duration
		want    error
		after   time.Duration
	}{
		{"live again", []answer{{errno: unix.EAGAIN}, {status: StatusHostPathError}, {}}, 0, nil, 15 * time.Millisecond},
		{"another status", []answer{{errno: unix.EAGAIN}, {status: StatusInvalidField}}, 0, nil, 5 * time.Millisecond},
		{"do not retry", []answer{{status: StatusHostPathError.WithDNR()}}, 0, nil, 0},
		{"never live", []answer{{errno: unix.EAGAIN}}, 0, ErrNotLive, time.Minute},
		{"deadline", []answer{{status: StatusHostPathError}}, time.Second, ErrNotLive, time.Second},
		{"gone", []answer{{errno: unix.EAGAIN}, {errno: unix.ENODEV}}, 0, unix.ENODEV, 5 * time.Millisecond},
		{"expired", []answer{{errno: unix.EINTR}}, 0, ErrExpired, 0},
		{"refused", []answer{{errno: unix.EINVAL}}, 0, os.ErrInvalid, 0},
		{"no permission", []answer{{errno: unix.EACCES}}, 0, os.ErrPermission, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := openNull(t)
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if c.limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.limit)
					defer cancel()
				}
				begin, tries := time.Now(), 0
				done, err := n.settle(ctx, &Command{}, func() (Completion, unix.Errno, error) {
					a := c.answers[min(tries, len(c.answers)-1)]
					tries++
					return Completion{Status: a.status}, a.errno, nil
				})
				require.ErrorIs(t, err, c.want)
				require.Equal(t, c.after, time.Since(begin))
				if err == nil {
					require.Equal(t, c.answers[len(c.answers)-1].status, done.Status)
				}
			})
		})
	}
}

// The context may end just before a try, which then finds it so.
func TestSettleWhenTryFindsTheEnd(t *testing.T) {
	n := openNull(t)
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	_, err := n.settle(ctx, &Command{}, func() (Completion, unix.Errno, error) {
		if tries++; tries == 1 {
			return Completion{Status: StatusHostPathError}, 0, nil
		}
		cancel()
		return Completion{}, 0, ctx.Err()
	})
	require.ErrorIs(t, err, ErrNotLive)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, StatusHostPathError)
}

func TestSubmitAllocatesNothing(t *testing.T) {
	n := openNull(t)
	var transport Transport = n
	data := make([]byte, 4096)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, _, _ = n.submitOnce(ctx, &Command{Opcode: AdminIdentify, Data: data})
	}))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = transport.Submit(ctx, Command{Opcode: AdminIdentify, Data: data})
	}))
}

// BenchmarkSubmit compares Submit with the bare system call, on a node that
// answers ENOTTY: the floor of both.
func BenchmarkSubmit(b *testing.B) {
	n := openNull(b)
	data := make([]byte, 4096)
	b.Run("ioctl", func(b *testing.B) {
		b.ReportAllocs()
		cmd := sys.PassthruCmd{Opcode: uint8(AdminIdentify), Addr: sys.PointerTo(data), DataLen: 4096}
		for b.Loop() {
			_, _ = sys.Passthru(n.fd, sys.NVME_IOCTL_ADMIN_CMD, &cmd)
		}
	})
	b.Run("Submit", func(b *testing.B) {
		b.ReportAllocs()
		var transport Transport = n
		ctx := context.Background()
		for b.Loop() {
			_, _ = transport.Submit(ctx, Command{Opcode: AdminIdentify, Data: data})
		}
	})
	b.Run("Submit with deadline", func(b *testing.B) {
		b.ReportAllocs()
		var transport Transport = n
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		for b.Loop() {
			_, _ = transport.Submit(ctx, Command{Opcode: AdminIdentify, Data: data})
		}
	})
}

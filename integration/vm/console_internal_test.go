package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRingKeepsTheLast(t *testing.T) {
	r := ring{limit: 100}
	var all bytes.Buffer
	for i := range 500 {
		line := fmt.Sprintf("line %d\r\n", i)
		all.WriteString(line)
		n, err := r.Write([]byte(line))
		require.NoError(t, err)
		require.Equal(t, len(line), n)
		require.LessOrEqual(t, len(r.b), 200+len(line))
		want := all.Bytes()
		require.Equal(t, string(want[max(0, len(want)-100):]), string(r.bytes()))
	}
	require.True(t, strings.HasSuffix(r.text(), "line 498\nline 499\n"))
}

func TestConsoleText(t *testing.T) {
	r := ring{limit: 1000}
	_, _ = r.Write([]byte("\x1b[2J\x1b[01;01H\x1b[=3hBdsDxe\r\n\x1bcok\x1b[0m"))
	require.Equal(t, "BdsDxe\nok", r.text())
}

func TestFinish(t *testing.T) {
	v := &VM{console: ring{limit: 1000}, stderr: ring{limit: 1000}}
	boom := errors.New("exit status 1")
	_, _ = v.stderr.Write([]byte("qemu: no\n"))
	require.NoError(t, v.finish(t.Context(), nil, false))
	require.NoError(t, v.finish(t.Context(), boom, true))
	require.EqualError(t, v.finish(t.Context(), boom, false), "QEMU: exit status 1: qemu: no")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, v.finish(ctx, boom, false), context.Canceled)
	_, _ = v.console.Write([]byte("[ 1.0] Kernel panic - not syncing: sysrq triggered crash\r\n[ 1.1] CPU: 0\r\n"))
	require.EqualError(t, v.finish(t.Context(), nil, false), "guest's kernel panicked: sysrq triggered crash")
}

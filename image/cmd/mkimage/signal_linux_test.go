package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSignals interrupts the command where nothing else could: while it waits for
// a pipe, at either end.
func TestSignals(t *testing.T) {
	for _, tc := range []struct {
		signal syscall.Signal
		status int
		text   string
	}{
		{syscall.SIGINT, 130, "interrupt"},
		{syscall.SIGTERM, 143, "terminated"},
	} {
		t.Run("reading "+tc.text, func(t *testing.T) {
			dir := t.TempDir()
			cmd := start(t, "build", "-", "-o", filepath.Join(dir, "disk.img"))
			_, err := cmd.StdinPipe() // from which nothing comes
			require.NoError(t, err)
			testSignal(t, cmd, tc.signal, tc.status, "reading the sources of stdin", tc.text)
			require.Empty(t, names(t, dir))
		})
		t.Run("writing "+tc.text, func(t *testing.T) {
			cmd := start(t, "build", writeNoise(t, 4<<20), "-o", "-")
			r, w, err := os.Pipe() // which nobody reads
			require.NoError(t, err)
			defer r.Close()
			defer w.Close()
			cmd.Stdout = w
			testSignal(t, cmd, tc.signal, tc.status, "writing partition table", tc.text)
		})
	}
}

// testSignal starts a command, sends a signal when it has printed a line, and
// wants an exit status and one line more.
func testSignal(t *testing.T, cmd *exec.Cmd, signal syscall.Signal, status int, when, text string) {
	t.Helper()
	pipe, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(pipe)
	for lines.Scan() && lines.Text() != when {
	}
	require.NoError(t, cmd.Process.Signal(signal))
	var rest []string
	for lines.Scan() {
		rest = append(rest, lines.Text())
	}
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	require.Equal(t, status, exit.ExitCode(), rest)
	require.Equal(t, "mkimage: ended by a signal: "+text, rest[len(rest)-1])
}

// TestKill kills a build that is under way. What there is afterwards is nothing,
// or where it was faster, all of the image.
func TestKill(t *testing.T) {
	for _, out := range []string{"disk.img", "disk.img.zst", "disk.qcow2"} {
		spec := writeNoise(t, 32<<20)
		whole := filepath.Join(t.TempDir(), out)
		_, _, err := mkimage(t, "build", "-q", spec, "-o", whole)
		require.NoError(t, err)

		name := filepath.Join(t.TempDir(), out)
		cmd := start(t, "build", "--json", spec, "-o", name)
		pipe, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			if strings.Contains(lines.Text(), `"event":"progress"`) {
				break
			}
		}
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		if left := names(t, filepath.Dir(name)); len(left) > 0 {
			require.Equal(t, []string{out}, left)
			require.True(t, bytes.Equal(readAll(t, whole), readAll(t, name)))
		}
	}
}

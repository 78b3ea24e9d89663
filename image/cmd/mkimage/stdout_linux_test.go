package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
)

// TestStandardOutputFails wants a status and a sentence where what is printed
// reaches nobody, and no image of which nobody was told.
func TestStandardOutputFails(t *testing.T) {
	sh, err := exec.LookPath("sh")
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	spec, err := filepath.Abs(example)
	require.NoError(t, err)
	for _, tc := range []struct{ name, command, want string }{
		{"image to a closed output", "build -q -o - $SPEC >&-", "mkimage: write to standard output: (.*: )?write /dev/stdout: file already closed\n"},
		{"image to a full disk", "build -q -o - $SPEC >/dev/full", "mkimage: write to standard output: (.*: )?write /dev/stdout: no space left on device\n"},
		{"events to a closed output", "build --json -o disk.img $SPEC >&-", "mkimage: write the progress: write /dev/stdout: file already closed\n"},
		{"events to a full disk", "build --json -o disk.img $SPEC >/dev/full", "mkimage: write the progress: write /dev/stdout: no space left on device\n"},
		{"compressed, events to a full disk", "build --json -o disk.img.zst $SPEC >/dev/full", "mkimage: write the progress: write /dev/stdout: no space left on device\n"},
		{"plan to a closed output", "plan $SPEC >&-", "mkimage: write /dev/stdout: file already closed\n"},
		{"plan to a full disk", "plan $SPEC --json >/dev/full", "mkimage: write /dev/stdout: no space left on device\n"},
		{"help to a closed output", "help >&-", "mkimage: write /dev/stdout: file already closed\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.CommandContext(t.Context(), sh, "-c", `exec "$MKIMAGE" `+tc.command)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "MKIMAGE_MAIN=1", "MKIMAGE="+self, "SPEC="+spec)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			var exit *exec.ExitError
			require.ErrorAs(t, cmd.Run(), &exit)
			require.Equal(t, 1, exit.ExitCode())
			require.Regexp(t, "^"+tc.want+"$", errs.String())
			require.Empty(t, names(t, dir))
		})
	}
	cmd := start(t, "build", "-q", "-o", "-", example)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer null.Close()
	cmd.Stdout = null
	require.NoError(t, cmd.Run(), "an image for nobody, as was asked")
}

// TestEventsFailLate wants the last event to be as important as the first.
func TestEventsFailLate(t *testing.T) {
	gone := errors.New("gone")
	for _, event := range []string{"progress", "done"} {
		w := &onEvent{event: event}
		w.do = func() { w.err = gone }
		err := run(t.Context(), []string{"build", "--json", example, "-o", filepath.Join(t.TempDir(), "disk.img")}, nil, w, w)
		require.ErrorIs(t, err, gone, event)
	}
}

// TestEventsFailBeforeADeviceIsWritten wants a disk to be left alone.
func TestEventsFailBeforeADeviceIsWritten(t *testing.T) {
	gone := errors.New("gone")
	d := device(t, 100*image.MiB, 512)
	before := readAll(t, d.Path())
	w := &onEvent{event: "plan"}
	w.do = func() { w.err = gone }
	err := run(t.Context(), []string{"build", "--json", example, "-o", d.Path(), "--device"}, nil, w, w)
	require.ErrorIs(t, err, gone)
	require.True(t, bytes.Equal(before, readAll(t, d.Path())))
}

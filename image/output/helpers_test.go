package output_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/output"
	"github.com/drivebay/drivebay/image/volume"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// makeDisk returns the bytes of a disk with stretches of all kinds: noise, text,
// zeros that are short and long, and something at its very end.
func makeDisk(size int) []byte {
	disk := make([]byte, size)
	text := []byte(strings.Repeat("drivebay makes disks. ", 20000))
	noise := rand.NewChaCha8([32]byte{})
	copy(disk, "the first sector")
	for off, kind := 4096, 0; off < size; kind++ {
		end := min(size, off+size/13)
		switch kind % 4 {
		case 0:
			_, _ = noise.Read(disk[off:end])
		case 1:
			for at := off; at < end; at += len(text) {
				copy(disk[at:end], text)
			}
		case 2: // a sector in a hundred
			for at := off; at+512 <= end; at += 100 * 512 {
				_, _ = noise.Read(disk[at : at+512])
			}
		}
		off = end
	}
	copy(disk[size-512:], "the last sector")
	return disk
}

// write writes a disk as a plan does: front to back, without its zeros.
func write(t *testing.T, w output.Writer, disk []byte) {
	t.Helper()
	v := volume.NewWriter(w, int64(len(disk)))
	defer v.Close()
	_, err := v.Write(disk)
	require.NoError(t, err)
	require.NoError(t, v.Flush())
	require.NoError(t, w.Finish())
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())
}

// create returns a new file.
func create(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), name))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

// writeRaw writes a disk to a file as it is.
func writeRaw(t *testing.T, disk []byte) string {
	t.Helper()
	f := create(t, "disk.img")
	_, err := f.Write(disk)
	require.NoError(t, err)
	return f.Name()
}

// run runs a program that has to succeed, and returns what it prints.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), fixture.RequireTool(t, name), args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, "%s %v: %s%s", name, args, out, &errs)
	if name == "qemu-img" {
		require.Empty(t, errs.String(), "%v", args) // such as a checksum that is wrong
	}
	return string(out)
}

// readAll returns the content of a file.
func readAll(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return b
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

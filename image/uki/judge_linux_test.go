package uki_test

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/uki"
)

// systemdStub is that of Debian's package systemd-boot-efi.
const systemdStub = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"

// build writes everything, on systemd's stub, into a file.
func build(t *testing.T) (name string, b []byte) {
	stub, err := uki.File(systemdStub)
	require.NoError(t, err)
	e, err := everything(stub).Entry()
	require.NoError(t, err)
	b = imagetest.ReadEntry(t, e)
	name = filepath.Join(t.TempDir(), "uki.efi")
	require.NoError(t, os.WriteFile(name, b, 0o644))
	return name, b
}

// TestObjcopy has binutils take the sections out again, and make the same image
// in the way that systemd-stub(7) shows.
func TestObjcopy(t *testing.T) {
	fixture.RequireTool(t, "objcopy", "objdump")
	fixture.RequireFile(t, systemdStub)
	name, b := build(t)
	dir := t.TempDir()
	args := []string{}
	f, err := pe.NewFile(bytes.NewReader(b))
	require.NoError(t, err)
	for _, w := range want {
		out := filepath.Join(dir, w.name)
		run(t, "objcopy", "--dump-section", w.name+"="+out, name, filepath.Join(dir, "copy"))
		got, err := os.ReadFile(out)
		require.NoError(t, err)
		head, rest := got[:min(len(got), len(w.content))], got[min(len(got), len(w.content)):]
		require.Equal(t, w.content, string(head), w.name)
		require.Empty(t, bytes.Trim(rest, "\x00"), w.name)
		require.NoError(t, os.WriteFile(out, []byte(w.content), 0o644))
		args = append(args, "--add-section", w.name+"="+out, "--change-section-vma", w.name+"="+hex(f.Section(w.name).VirtualAddress))
	}
	peer := filepath.Join(dir, "peer.efi")
	run(t, "objcopy", append(args, systemdStub, peer)...)
	require.Equal(t, table(t, peer), table(t, name))

	require.Contains(t, run(t, "objdump", "-p", name), "CheckSum\t\t"+hex(checksumOf(b))[2:])
}

// TestChecksum compares with what binutils writes into the files that it makes.
func TestChecksum(t *testing.T) {
	fixture.RequireTool(t, "objcopy")
	fixture.RequireFile(t, systemdStub)
	name, b := build(t)
	other := filepath.Join(t.TempDir(), "copy.efi")
	run(t, "objcopy", name, other)
	copied, err := os.ReadFile(other)
	require.NoError(t, err)
	require.Equal(t, checksumOf(copied), uki.Checksum(copied), "the copy that objcopy has made")
	require.Equal(t, uki.Checksum(b), checksumOf(b), "the image")
}

// table returns what objdump says of each section: name, size and address.
func table(t *testing.T, name string) (list [][]string) {
	for line := range strings.Lines(run(t, "objdump", "-h", name)) {
		if words := strings.Fields(line); len(words) == 7 {
			list = append(list, words[1:4])
		}
	}
	require.NotEmpty(t, list)
	return list
}

// checksumOf returns the checksum that a PE image states.
func checksumOf(b []byte) uint32 {
	at := binary.LittleEndian.Uint32(b[0x3c:])
	return binary.LittleEndian.Uint32(b[at+4+20+64:])
}

func hex(n uint32) string { return fmt.Sprintf("0x%08x", n) }

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

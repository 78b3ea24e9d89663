package spec_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/spec"
)

const signedSpec = `
partitions:
  - content:
      format: vfat
      files:
        - {path: /loader.efi, file: /usr/lib/systemd/boot/efi/systemd-bootx64.efi, sign: &db {key: db.key, certificate: db.crt}}
        - path: /unified.efi
          sign: *db
          uki: {stub: /usr/lib/systemd/boot/efi/linuxx64.efi.stub, kernel: /usr/lib/systemd/boot/efi/systemd-bootx64.efi, cmdline: quiet}
`

// TestSign has sbverify look at what a spec has signed.
func TestSign(t *testing.T) {
	fixture.RequireTool(t, "openssl", "sbverify")
	fixture.RequireFile(t, "/usr/lib/systemd/boot/efi/systemd-bootx64.efi", "/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
	dir := t.TempDir()
	key, certificate := filepath.Join(dir, "db.key"), filepath.Join(dir, "db.crt")
	out, err := exec.Command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-subj", "/CN=db", "-keyout", key, "-out", certificate).CombinedOutput()
	require.NoError(t, err, "%s", out)
	s, err := spec.Parse("disk.yaml", strings.NewReader(signedSpec), dir)
	require.NoError(t, err)
	l, err := s.Layout(t.Context())
	require.NoError(t, err)
	defer l.Close()
	require.Contains(t, l.Sources, spec.Source{Path: key}, "no output may take its place")
	for _, name := range []string{"loader.efi", "unified.efi"} {
		node, ok := l.Trees[0].Lookup(name)
		require.True(t, ok)
		r, err := node.Open()
		require.NoError(t, err)
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, b, 0o644))
		out, err := exec.Command("sbverify", "--cert", certificate, file).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

package repart_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/spec/repart"
	"github.com/drivebay/drivebay/image/verity"
)

// verityFiles are the definitions of a signed root.
var verityFiles = []string{
	"10-root.conf\nType=root\nFormat=squashfs\nCopyFiles=/\nVerity=data\nVerityMatchKey=root\nSizeMinBytes=20M\nSizeMaxBytes=20M",
	"20-tree.conf\nType=root-verity\nVerity=hash\nVerityMatchKey=root\nSizeMinBytes=4M\nSizeMaxBytes=4M",
	"30-signature.conf\nType=root-verity-sig\nVerity=signature\nVerityMatchKey=root",
}

// newKey lets openssl make a key and a certificate.
func newKey(t *testing.T) (key, certificate string) {
	t.Helper()
	dir := t.TempDir()
	key, certificate = filepath.Join(dir, "key.pem"), filepath.Join(dir, "certificate.pem")
	out, err := exec.Command(fixture.RequireTool(t, "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650",
		"-keyout", key, "-out", certificate, "-subj", "/CN=drivebay").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return key, certificate
}

// TestVerity compares with what systemd-repart makes of the same definitions. The
// salt is a random one there, so that all that depends on it differs.
func TestVerity(t *testing.T) {
	fixture.RequireTool(t, "systemd-repart", "sfdisk", "veritysetup", "openssl", "mksquashfs")
	fixture.RequireLoop(t)
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "file"), bytes.Repeat([]byte("content"), 100_000), 0o644))
	key, certificate := newKey(t)
	dir := define(t, verityFiles...)
	theirs := systemdRepart(t, dir, "auto", "--root="+root, "--private-key="+key, "--certificate="+certificate)
	// Sectors of 512 bytes give blocks of 512 bytes, which version 252 always makes.
	ours, _ := build(t, dir, repart.Options{Seed: seed, Root: root, SectorSize: 512, PrivateKey: key, Certificate: certificate})

	wantTable, wantSignature := verityDisk(t, theirs)
	gotTable, gotSignature := verityDisk(t, ours)
	require.Equal(t, wantTable, gotTable)
	values := regexp.MustCompile(`:"[^"]*"`)
	require.Equal(t, values.ReplaceAllString(wantSignature, ":"), values.ReplaceAllString(gotSignature, ":"))
	fingerprint := regexp.MustCompile(`"certificateFingerprint":"[0-9a-f]{64}"`)
	require.Equal(t, fingerprint.FindString(wantSignature), fingerprint.FindString(gotSignature))
}

// verityDisk checks a disk's hash tree, and returns the rest of what is to be
// compared: the table without the UUIDs that come of the root hash, and the text of
// the signature.
func verityDisk(t *testing.T, name string) (rest map[string]any, signature string) {
	t.Helper()
	d, err := image.Open(name)
	require.NoError(t, err)
	defer d.Close()
	data, tree := partition(t, d, 1), partition(t, d, 2)
	parts := d.Partitions
	hash := parts[1].RootHash
	out, err := exec.Command(fixture.RequireTool(t, "veritysetup"), "verify", data, tree, hash.String()).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, hash.String(), strings.ReplaceAll(parts[0].ID+parts[1].ID, "-", ""))

	// Our own tree of these bytes, with that salt.
	b, err := os.ReadFile(data)
	require.NoError(t, err)
	h, err := verity.NewHasher(parts[1].Verity.Params, int64(len(b)), "")
	require.NoError(t, err)
	defer h.Close()
	_, err = h.WriteAt(b, 0)
	require.NoError(t, err)
	own, err := h.Tree()
	require.NoError(t, err)
	require.Equal(t, hash, own.RootHash())

	b, err = os.ReadFile(partition(t, d, 3))
	require.NoError(t, err)
	text, zeros, ok := bytes.Cut(b, []byte{0})
	require.True(t, ok)
	require.Empty(t, bytes.Trim(zeros, "\x00"))
	require.Contains(t, string(text), `{"rootHash":"`+hash.String()+`",`)

	rest = table(t, name)
	for _, p := range rest["partitions"].([]any)[:2] {
		delete(p.(map[string]any), "uuid")
	}
	return rest, string(text)
}

// partition copies a partition to a file of its own.
func partition(t *testing.T, d *image.Disk, number int) string {
	t.Helper()
	section, err := d.Section(number)
	require.NoError(t, err)
	b, err := io.ReadAll(section)
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "partition")
	require.NoError(t, os.WriteFile(name, b, 0o600))
	return name
}

// TestVerityMinimized has a hash tree that is as large as the data wants it, and
// comes before the data.
func TestVerityMinimized(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "file"), bytes.Repeat([]byte("content"), 100_000), 0o644))
	_, p := build(t, define(t,
		"10-tree.conf\nType=root-verity\nVerity=hash\nVerityMatchKey=root\nMinimize=best",
		"20-root.conf\nType=root\nFormat=squashfs\nCopyFiles=/\nVerity=data\nVerityMatchKey=root\nMinimize=best",
	), repart.Options{Seed: seed, Root: root})
	require.Equal(t, p.Partitions[0].Volume.Size, p.Partitions[0].Size)
	require.Equal(t, p.Partitions[1].Size/4096, p.Partitions[0].Verity.DataBlocks)
}

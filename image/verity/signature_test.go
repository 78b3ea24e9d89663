package verity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/verity"
	"github.com/drivebay/drivebay/image/volume"
)

// certify returns a certificate of a key, signed by itself.
func certify(t *testing.T, key crypto.Signer) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: "drivebay"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

func newRSA(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return key
}

func newECDSA(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

var root = verity.RootHash{0: 0xab, 31: 0xcd}

func TestOpenSSLVerifiesSignatures(t *testing.T) {
	for name, key := range map[string]crypto.Signer{"RSA": newRSA(t), "ECDSA": newECDSA(t)} {
		t.Run(name, func(t *testing.T) {
			s := verity.Signature{Key: key, Certificate: certify(t, key)}
			text, err := s.Sign(root)
			require.NoError(t, err)
			again, err := s.Sign(root)
			require.NoError(t, err)
			require.Equal(t, string(text), string(again), "the same root has another signature")

			var got map[string]any
			require.NoError(t, json.Unmarshal(text, &got))
			require.Len(t, got, 3)
			fingerprint := sha256.Sum256(s.Certificate.Raw)
			require.Equal(t, root.String(), got["rootHash"])
			require.Equal(t, hex.EncodeToString(fingerprint[:]), got["certificateFingerprint"])
			require.True(t, strings.HasPrefix(string(text), `{"rootHash":"ab00`), "systemd's order: %s", text)

			var signed struct{ Signature []byte }
			require.NoError(t, json.Unmarshal(text, &signed))
			require.NoError(t, opensslVerify(t, s.Certificate, signed.Signature, root.String()))
			require.Error(t, opensslVerify(t, s.Certificate, signed.Signature, verity.RootHash{31: 0}.String()))
		})
	}
}

// opensslVerify lets openssl verify a detached signature of a text.
func opensslVerify(t *testing.T, cert *x509.Certificate, signature []byte, text string) error {
	t.Helper()
	dir := t.TempDir()
	files := map[string][]byte{
		"cert.pem":  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
		"signature": signature,
		"text":      []byte(text),
	}
	for name, b := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	cmd := exec.Command(fixture.RequireTool(t, "openssl"), "smime", "-verify", "-binary", "-inform", "DER", "-in", "signature", "-content", "text",
		"-CAfile", "cert.pem", "-certfile", "cert.pem", "-nointern", "-purpose", "any", "-out", "/dev/null")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	t.Logf("openssl: %s", out)
	return err
}

func TestSignatureIsPlanned(t *testing.T) {
	key := newECDSA(t)
	cert := certify(t, key)
	s := verity.Signature{Of: "tree", Key: key, Certificate: cert}
	info, err := s.PlanOf(volume.Geometry{})
	require.NoError(t, err)
	require.Equal(t, volume.Info{Format: "verity_hash_signature", Size: 16384, Used: 16384}, info)
	text, err := s.Sign(root)
	require.NoError(t, err)

	_, err = s.PlanOf(volume.Geometry{Size: 512})
	var short *volume.SizeError
	require.ErrorAs(t, err, &short)
	require.Greater(t, short.Need, int64(len(text)))

	_, err = s.Plan(t.Context(), volume.Geometry{})
	require.ErrorIs(t, err, verity.ErrAlone)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for name, bad := range map[string]verity.Signature{
		"want a key and a certificate":                        {Certificate: cert},
		"the certificate of CN=drivebay is of another key":    {Key: newECDSA(t), Certificate: cert},
		"key of type ed25519.PublicKey: bad option: want RSA": {Key: edwards, Certificate: certify(t, edwards)},
	} {
		_, err := bad.PlanOf(volume.Geometry{})
		require.ErrorIs(t, err, verity.ErrOption)
		require.ErrorContains(t, err, name)
	}
}

package authenticode_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/authenticode"
)

// programs are EFI programs of the distribution, and one of ours whose sections are
// not in order and that is no multiple of 8 bytes.
func programs(t *testing.T) map[string][]byte {
	t.Helper()
	list := map[string][]byte{"ours": programFor("odd")}
	for _, name := range []string{"/usr/lib/systemd/boot/efi/systemd-bootx64.efi", "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"} {
		fixture.RequireFile(t, name)
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		list[name] = b
	}
	return list
}

// TestJudges has others verify what is signed: sbverify, with OpenSSL as firmware
// has it, and osslsigncode, which sums up the image as well.
func TestJudges(t *testing.T) {
	fixture.RequireTool(t, "sbverify", "sbsign", "osslsigncode")
	first, second := signers(t)
	_, certificate := writePEM(t, first)
	otherKey, otherCertificate := writePEM(t, second)
	for name, program := range programs(t) {
		t.Run(name, func(t *testing.T) {
			signed := sign(t, first, program)
			file := write(t, signed)
			require.Contains(t, run(t, "sbverify", "--cert", certificate, file), "Signature verification OK")
			require.Error(t, exec.Command("sbverify", "--cert", otherCertificate, file).Run())

			out := run(t, "osslsigncode", "verify", "-CAfile", certificate, "-in", file)
			require.Contains(t, out, "Succeeded")
			require.NotContains(t, out, "MISMATCH", "of the digest or the checksum")

			t.Run("twice", func(t *testing.T) {
				file := write(t, sign(t, second, signed))
				require.Contains(t, run(t, "sbverify", "--cert", certificate, file), "Signature verification OK")
				require.Contains(t, run(t, "sbverify", "--cert", otherCertificate, file), "Signature verification OK")
			})
			t.Run("behind sbsign's signature", func(t *testing.T) {
				file := write(t, program)
				run(t, "sbsign", "--key", otherKey, "--cert", otherCertificate, "--output", file, file)
				theirs, err := os.ReadFile(file)
				require.NoError(t, err)
				file = write(t, sign(t, first, theirs))
				require.Contains(t, run(t, "sbverify", "--cert", certificate, file), "Signature verification OK")
				require.Contains(t, run(t, "sbverify", "--cert", otherCertificate, file), "Signature verification OK")
			})
			t.Run("before sbsign's signature", func(t *testing.T) {
				run(t, "sbsign", "--key", otherKey, "--cert", otherCertificate, "--output", file, file)
				require.Contains(t, run(t, "sbverify", "--cert", certificate, file), "Signature verification OK")
				require.Contains(t, run(t, "sbverify", "--cert", otherCertificate, file), "Signature verification OK")
			})
			t.Run("changed", func(t *testing.T) {
				signed[0x500] ^= 1
				require.Error(t, exec.Command("sbverify", "--cert", certificate, write(t, signed)).Run())
			})
		})
	}
}

// TestChain has a program verified by a certificate that has signed the one that has
// signed the signer's, which the signature brings along.
func TestChain(t *testing.T) {
	osslsigncode := fixture.RequireTool(t, "osslsigncode")
	leaf, root := signers(t)
	intermediate, _, err := newKey("", 2048)
	require.NoError(t, err)
	issue := func(name string, public, key crypto.Signer, parent *x509.Certificate) *x509.Certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: name != "leaf", BasicConstraintsValid: true,
			NotBefore: time.Unix(0, 0), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		}
		if parent == nil {
			parent = template
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, public.Public(), key)
		require.NoError(t, err)
		c, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		return c
	}
	rootCertificate := issue("root", root.Key, root.Key, nil)
	between := issue("intermediate", intermediate, root.Key, rootCertificate)
	signer := &authenticode.Signer{Key: leaf.Key, Certificate: issue("leaf", leaf.Key, intermediate, between)}
	_, certificate := writePEM(t, &authenticode.Signer{Key: root.Key, Certificate: rootCertificate})
	verify := func() (string, error) {
		out, err := exec.Command(osslsigncode, "verify", "-CAfile", certificate, "-in", write(t, sign(t, signer, programFor("")))).CombinedOutput()
		return string(out), err
	}
	out, err := verify()
	require.Error(t, err, out)
	signer.Chain = []*x509.Certificate{between}
	out, err = verify()
	require.NoError(t, err, out)
}

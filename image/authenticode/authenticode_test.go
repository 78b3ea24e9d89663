package authenticode_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"debug/pe"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/authenticode"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
)

// TestEntry wants a signature to change nothing of a program but what tells of it,
// and the same one each time.
func TestEntry(t *testing.T) {
	signer, _ := signers(t)
	program := programFor("odd")
	e := file(program)
	e.Mode, e.UID = 0o755, 7
	signed, err := signer.Entry(e)
	require.NoError(t, err)
	b := imagetest.ReadEntry(t, signed)
	require.Equal(t, b, imagetest.ReadEntry(t, signed), "opened again, it is another")
	require.Equal(t, []any{e.Mode, e.UID}, []any{signed.Mode, signed.UID})

	f, err := pe.NewFile(bytes.NewReader(b))
	require.NoError(t, err)
	table := f.OptionalHeader.(*pe.OptionalHeader64).DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_SECURITY]
	require.Equal(t, pe.DataDirectory{VirtualAddress: 0x808, Size: uint32(len(b)) - 0x808}, table)
	require.Equal(t, table.Size, binary.LittleEndian.Uint32(b[table.VirtualAddress:]))
	require.Equal(t, []byte{0x00, 0x02, 0x02, 0x00}, b[table.VirtualAddress+4:][:4])

	copy(b[optionalAt+64:], program[optionalAt+64:][:4])
	clear(b[securityAt : securityAt+8])
	require.Equal(t, append(program, make([]byte, 5)...), b[:table.VirtualAddress])
}

func TestErrors(t *testing.T) {
	signer, other := signers(t)
	weak, weakCertificate, err := newKey("weak", 1024)
	require.NoError(t, err)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	le := binary.LittleEndian
	for _, tc := range []struct {
		name   string
		change func(b []byte) []byte
		signer *authenticode.Signer
		is     error
		want   string
	}{
		{"text", func([]byte) []byte { return []byte("#!/bin/sh\n") }, signer, authenticode.ErrNotPE, "size is 10 bytes, want at least the 64 of a DOS header"},
		{"empty", func([]byte) []byte { return nil }, signer, authenticode.ErrNotPE, "size is 0 bytes, want at least the 64 of a DOS header"},
		{"ELF", func(b []byte) []byte { copy(b, "\x7fELF"); return b }, signer, authenticode.ErrNotPE, `beginning is "\x7fE", want "MZ"`},
		{"headers cut off", func(b []byte) []byte { return b[:0x190] }, signer, authenticode.ErrNotPE, "end of the headers is 472, want one within the first 400 bytes"},
		{"section cut off", func(b []byte) []byte { return b[:0x700] }, signer, authenticode.ErrNotPE, "end of section .data is 2048, want at most the size, 1792 bytes"},
		{"no directory", func(b []byte) []byte { b[optionalAt+108] = 4; return b }, signer, authenticode.ErrLayout, "want at least 5 data directories"},
		{"small headers", func(b []byte) []byte { le.PutUint32(b[optionalAt+60:], 64); return b }, signer, authenticode.ErrLayout, "its headers have 64 bytes, want at least 472"},
		{"large headers", func(b []byte) []byte {
			le.PutUint32(b[optionalAt+60:], 1<<31)
			clear(b[tableAt : tableAt+80])
			return b
		}, signer, authenticode.ErrLayout, "its headers end at 2147483648, want that within its 2051 bytes"},
		{"gap", func(b []byte) []byte { le.PutUint32(b[tableAt+40+20:], 0x410); return b }, signer, authenticode.ErrLayout, "its section .text begins at 1040, want it at 1024, where what is before it ends"},
		{"certificates before the end", func(b []byte) []byte {
			le.PutUint32(b[securityAt:], 0x800)
			le.PutUint32(b[securityAt+4:], 2)
			return b
		}, signer, authenticode.ErrLayout, "its certificates are 2 bytes at 2048, want them behind its sections and to end where it does, at 2051, a multiple of 8"},
		{"no key", nil, &authenticode.Signer{}, authenticode.ErrKey, "want a key and a certificate"},
		{"short key", nil, &authenticode.Signer{Key: weak, Certificate: weakCertificate}, authenticode.ErrKey, "it has 1024 bits, want at least 2048"},
		{"ECDSA", nil, &authenticode.Signer{Key: curve, Certificate: signer.Certificate}, authenticode.ErrKey, "it is of type *ecdsa.PublicKey, want RSA"},
		{"another's certificate", nil, &authenticode.Signer{Key: signer.Key, Certificate: other.Certificate}, authenticode.ErrKey, "the certificate of CN=second is of another one"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := programFor("odd")
			if tc.change != nil {
				b = tc.change(b)
			}
			_, err := tc.signer.Entry(file(b))
			require.ErrorIs(t, err, tc.is)
			require.ErrorContains(t, err, "sign EFI program: ")
			require.ErrorContains(t, err, tc.want)
		})
	}
	_, err = signer.Entry(filetree.Dir(0o755))
	require.ErrorIs(t, err, authenticode.ErrNotPE)
}

// TestChangedProgram wants a program to be told that has changed since its entry was
// made.
func TestChangedProgram(t *testing.T) {
	signer, _ := signers(t)
	original := programFor("odd")
	for _, tc := range []struct {
		name    string
		content []byte
	}{
		{"shorter", original[:1000]},
		{"longer", append(programFor("odd"), 1)},
		{"another head", append([]byte("#!"), original[2:]...)},
		{"none", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name := write(t, original)
			e := file(original)
			e.Open = func() (filetree.Content, error) { return os.Open(name) }
			signed, err := signer.Entry(e)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(name, tc.content, 0o644))
			_, err = signed.Open()
			require.ErrorIs(t, err, filetree.ErrChanged)
		})
	}
	gone := errors.New("gone")
	e := file(original)
	e.Open = func() (filetree.Content, error) { return nil, gone }
	_, err := signer.Entry(e)
	require.ErrorIs(t, err, gone)
}

// TestChangedWhileSigned changes a program behind its head when its digest has been
// taken: what is read then would not be what the signature is of.
func TestChangedWhileSigned(t *testing.T) {
	signer, _ := signers(t)
	original := programFor(strings.Repeat("x", 100<<10))
	name := write(t, original)
	e := file(original)
	e.Open = func() (filetree.Content, error) { return os.Open(name) }
	signed, err := signer.Entry(e)
	require.NoError(t, err)
	r, err := signed.Open()
	require.NoError(t, err)
	defer r.Close()
	original[len(original)-1] ^= 1
	require.NoError(t, os.WriteFile(name, original, 0o644))
	_, err = io.ReadAll(r)
	require.ErrorIs(t, err, filetree.ErrChanged)
}

// TestLoad wants keys as OpenSSL writes them, and refuses those that cannot do.
func TestLoad(t *testing.T) {
	openssl := fixture.RequireTool(t, "openssl")
	first, second := signers(t)
	key, certificate := writePEM(t, first)
	_, other := writePEM(t, second)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	run(t, openssl, "rsa", "-traditional", "-in", key, "-out", path("pkcs1"))
	run(t, openssl, "pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", path("encrypted"))
	run(t, openssl, "rsa", "-traditional", "-in", key, "-aes256", "-passout", "pass:secret", "-out", path("encrypted1"))
	run(t, openssl, "pkey", "-in", key, "-outform", "DER", "-out", path("der"))
	run(t, openssl, "genpkey", "-algorithm", "ed25519", "-out", path("ed25519"))
	run(t, openssl, "req", "-x509", "-key", path("ed25519"), "-subj", "/CN=x", "-out", path("ed25519.crt"))
	chain := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: first.Certificate.Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: second.Certificate.Raw})...)
	require.NoError(t, os.WriteFile(path("chain.crt"), chain, 0o600))

	for _, name := range []string{key, path("pkcs1")} {
		s, err := authenticode.Load(name, certificate)
		require.NoError(t, err)
		require.True(t, first.Key.(*rsa.PrivateKey).Equal(s.Key))
		require.Equal(t, first.Certificate, s.Certificate)
		require.Empty(t, s.Chain)
	}
	s, err := authenticode.Load(key, path("chain.crt"))
	require.NoError(t, err)
	require.Equal(t, []*x509.Certificate{second.Certificate}, s.Chain)

	for _, tc := range []struct {
		name, key, certificate string
		is                     error
		want                   string
	}{
		{"no key", path("none"), certificate, os.ErrNotExist, "open " + path("none")},
		{"no certificate", key, path("none"), os.ErrNotExist, "open " + path("none")},
		{"encrypted", path("encrypted"), certificate, authenticode.ErrEncrypted, "key " + path("encrypted") + ": private key is encrypted: want one without a passphrase"},
		{"encrypted as OpenSSL once did", path("encrypted1"), certificate, authenticode.ErrEncrypted, ""},
		{"DER", path("der"), certificate, nil, "key " + path("der") + ", certificate " + certificate + ": tls: failed to find any PEM data in key input"},
		{"another's certificate", key, other, nil, "tls: private key does not match public key"},
		{"swapped", certificate, key, nil, "tls: failed to find certificate PEM data in certificate input, but did find a private key"},
		{"Ed25519", path("ed25519"), path("ed25519.crt"), authenticode.ErrKey, "key " + path("ed25519") + ": not a key for EFI programs: it is of type ed25519.PublicKey, want RSA"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := authenticode.Load(tc.key, tc.certificate)
			require.ErrorContains(t, err, tc.want)
			if tc.is != nil {
				require.ErrorIs(t, err, tc.is)
			}
		})
	}
}

// zeroKey signs with zeros: neither that nor to make one takes time.
type zeroKey struct{ *rsa.PublicKey }

func (k zeroKey) Public() crypto.PublicKey { return k.PublicKey }

func (k zeroKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, k.Size()), nil
}

// FuzzEntry holds that any program is refused or signed, and that what is signed can
// be signed again.
func FuzzEntry(f *testing.F) {
	public := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}
	empty := []byte{0x30, 0}
	fast := &authenticode.Signer{Key: zeroKey{public}, Certificate: &x509.Certificate{
		Raw: empty, RawIssuer: empty, SerialNumber: big.NewInt(1), PublicKey: public,
	}}
	f.Add(programFor(""))
	f.Add(sign(f, fast, programFor("odd")))
	f.Add([]byte("MZ"))
	f.Fuzz(func(t *testing.T, program []byte) {
		e, err := fast.Entry(file(program))
		if err != nil {
			return
		}
		once := imagetest.ReadEntry(t, e)
		require.Greater(t, len(once), len(program))
		require.Greater(t, len(sign(t, fast, once)), len(once))
	})
}

// BenchmarkEntry signs a program of 64 MiB.
func BenchmarkEntry(b *testing.B) {
	signer, _ := signers(b)
	program := programFor(string(make([]byte, 64<<20)))
	e, err := signer.Entry(file(program))
	require.NoError(b, err)
	b.SetBytes(e.Size)
	b.ReportAllocs()
	for b.Loop() {
		r, err := e.Open()
		require.NoError(b, err)
		require.NoError(b, r.Close())
	}
}

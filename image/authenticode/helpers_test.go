package authenticode_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"debug/pe"
	"encoding/binary"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/authenticode"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
)

func TestMain(m *testing.M) { fixture.Main(m) }

// newKey returns a key and its certificate, which is signed by itself.
func newKey(name string, bits int) (*rsa.PrivateKey, *x509.Certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return key, certificate, err
}

// keys are those that tests sign with: it takes long to make them.
var keys = sync.OnceValues(func() (list [2]*authenticode.Signer, err error) {
	for i, name := range []string{"first", "second"} {
		key, certificate, err := newKey(name, 2048)
		if err != nil {
			return list, err
		}
		list[i] = &authenticode.Signer{Key: key, Certificate: certificate}
	}
	return list, nil
})

func signers(t testing.TB) (first, second *authenticode.Signer) {
	t.Helper()
	list, err := keys()
	require.NoError(t, err)
	return list[0], list[1]
}

// writePEM writes the key and the certificate of a signer into files.
func writePEM(t testing.TB, s *authenticode.Signer) (key, certificate string) {
	t.Helper()
	dir := t.TempDir()
	key, certificate = filepath.Join(dir, "db.key"), filepath.Join(dir, "db.crt")
	der, err := x509.MarshalPKCS8PrivateKey(s.Key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate.Raw}), 0o600))
	return key, certificate
}

// programFor returns a small program of two sections and something behind them,
// with room for what tests change.
func programFor(behind string) []byte {
	b := make([]byte, 0x400, 0x1000)
	copy(b, "MZ")
	binary.LittleEndian.PutUint32(b[0x3c:], peAt)
	copy(b[peAt:], "PE\x00\x00")
	put := func(at int, v any) { _, _ = binary.Encode(b[at:], binary.LittleEndian, v) }
	put(peAt+4, pe.FileHeader{Machine: pe.IMAGE_FILE_MACHINE_AMD64, NumberOfSections: 2, SizeOfOptionalHeader: 240, Characteristics: 0x206})
	put(optionalAt, pe.OptionalHeader64{
		Magic: 0x20b, SectionAlignment: 0x200, FileAlignment: 0x200, SizeOfImage: 0x1400, SizeOfHeaders: 0x400,
		CheckSum: 0xdeadbeef, Subsystem: 10, NumberOfRvaAndSizes: 16,
	})
	put(tableAt, []pe.SectionHeader32{
		{Name: [8]uint8([]byte(".data\x00\x00\x00")), VirtualSize: 0x200, VirtualAddress: 0x1000, SizeOfRawData: 0x200, PointerToRawData: 0x600},
		{Name: [8]uint8([]byte(".text\x00\x00\x00")), VirtualSize: 0x200, VirtualAddress: 0x1200, SizeOfRawData: 0x200, PointerToRawData: 0x400},
	})
	for i := range 0x400 {
		b = append(b, byte(i))
	}
	return append(b, behind...)
}

// Where the structures of programFor are.
const (
	peAt       = 0x80
	optionalAt = peAt + 4 + 20
	securityAt = optionalAt + 112 + 4*8
	tableAt    = optionalAt + 240
)

// file returns the entry of a file with a content.
func file(b []byte) filetree.Entry { return filetree.File(b, 0o644) }

// sign returns a program with a signature.
func sign(t testing.TB, s *authenticode.Signer, program []byte) []byte {
	t.Helper()
	e, err := s.Entry(file(program))
	require.NoError(t, err)
	return imagetest.ReadEntry(t, e)
}

// write writes a program into a file.
func write(t testing.TB, program []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program.efi")
	require.NoError(t, os.WriteFile(name, program, 0o644))
	return name
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

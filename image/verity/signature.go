package verity

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/smallstep/pkcs7"

	"github.com/drivebay/drivebay/image/internal/keypair"
	"github.com/drivebay/drivebay/image/volume"
)

// SignatureFormat is the name that systemd has for the format of a signature
// partition (src/shared/dissect-image.c).
const SignatureFormat = "verity_hash_signature"

// SignatureSize is the size in bytes of a signature partition that is not told its
// size, as systemd-repart makes it.
const SignatureSize = 16 << 10

// Signature is the content of a partition that holds the signature of a hash
// tree's root hash, as the Discoverable Partitions Specification has it: JSON with
// the keys rootHash, certificateFingerprint and signature, and zeros behind it. The
// last is a detached PKCS #7 signature, without attributes, of the root hash's 64
// hexadecimal digits, which the kernel and systemd can verify. The same root hash
// has the same signature.
type Signature struct {
	// Of is the name of the partition of the hash tree. Where names do not tell
	// partitions apart, Number, if it is not 0, is the partition's number, from 1.
	Of     string
	Number int
	// Key is what is signed with, an RSA or ECDSA key, and Certificate the one of
	// its public half. A key that is no *ecdsa.PrivateKey, such as one in a device,
	// may sign ECDSA differently each time.
	Key         crypto.Signer
	Certificate *x509.Certificate
}

var _ volume.Content = (*Signature)(nil)

// LoadKey reads a private key and its certificate, the first of those in its file,
// from files in PEM.
func LoadKey(key, certificate string) (crypto.Signer, *x509.Certificate, error) {
	signer, chain, err := keypair.Load(key, certificate)
	if err != nil {
		return nil, nil, err
	}
	return signer, chain[0], nil
}

// Plan is an [ErrAlone]: a signature by itself cannot be planned. An image.Layout
// calls PlanOf. Plan makes a Signature a [volume.Content].
func (s *Signature) Plan(context.Context, volume.Geometry) (volume.Plan, error) {
	return nil, fmt.Errorf("signature of partition %q: %w", s.Of, ErrAlone)
}

// PlanOf checks the key, and describes the volume of a signature of a root hash.
func (s *Signature) PlanOf(g volume.Geometry) (volume.Info, error) {
	info := volume.Info{Format: SignatureFormat, Size: SignatureSize, Used: SignatureSize}
	if s.Key == nil || s.Certificate == nil {
		return info, fmt.Errorf("verity: signature: %w: want a key and a certificate", ErrOption)
	}
	if public, ok := s.Certificate.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(s.Key.Public()) {
		return info, fmt.Errorf("verity: signature: %w: the certificate of %s is of another key", ErrOption, s.Certificate.Subject)
	}
	if _, err := s.encryption(); err != nil {
		return info, err
	}
	if g.Size != 0 {
		info.Size, info.Used = g.Size, min(g.Size, SignatureSize)
	}
	if need := s.atMost(); need > info.Size {
		return info, &volume.SizeError{Format: SignatureFormat, Size: info.Size, Need: need, Resource: "bytes"}
	}
	return info, nil
}

// atMost returns how many bytes the signature partition's JSON has at most: beside
// the certificate and the signature, it holds names and numbers.
func (s *Signature) atMost() int64 {
	const others, digits = 512, 2 * 64
	der := len(s.Certificate.Raw) + len(s.Certificate.RawIssuer) + others
	if key, ok := s.Certificate.PublicKey.(*rsa.PublicKey); ok {
		der += key.Size()
	}
	return int64(base64.StdEncoding.EncodedLen(der) + 2*digits + others)
}

// Sign returns the JSON for a root hash.
func (s *Signature) Sign(root RootHash) ([]byte, error) {
	signature, err := s.pkcs7([]byte(root.String()))
	if err != nil {
		return nil, fmt.Errorf("verity: sign root hash %s: %w", root, err)
	}
	fingerprint := sha256.Sum256(s.Certificate.Raw)
	return json.Marshal(struct {
		RootHash               string `json:"rootHash"`
		CertificateFingerprint string `json:"certificateFingerprint"`
		Signature              []byte `json:"signature"`
	}{root.String(), hex.EncodeToString(fingerprint[:]), signature})
}

// pkcs7 returns a detached signature of data, as OpenSSL makes it with PKCS7_NOATTR:
// attributes would tell the time, and the kernel wants none.
func (s *Signature) pkcs7(data []byte) ([]byte, error) {
	signed, err := pkcs7.NewSignedData(data)
	if err != nil {
		return nil, err
	}
	signed.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	encryption, err := s.encryption()
	if err != nil {
		return nil, err
	}
	signed.SetEncryptionAlgorithm(encryption)
	if err := signed.SignWithoutAttr(s.Certificate, reproducible{s.Key}, pkcs7.SignerInfoConfig{}); err != nil {
		return nil, err
	}
	signed.Detach()
	return signed.Finish()
}

func (s *Signature) encryption() (asn1.ObjectIdentifier, error) {
	switch s.Key.Public().(type) {
	case *rsa.PublicKey:
		return pkcs7.OIDEncryptionAlgorithmRSA, nil
	case *ecdsa.PublicKey:
		return pkcs7.OIDDigestAlgorithmECDSASHA256, nil
	}
	return nil, fmt.Errorf("verity: signature: key of type %T: %w: want RSA or ECDSA", s.Key.Public(), ErrOption)
}

// reproducible is a signer that uses no randomness where the key can do without:
// RSA PKCS #1 v1.5 never does, ECDSA is that of RFC 6979 then.
type reproducible struct{ crypto.Signer }

// Sign implements [crypto.Signer].
func (r reproducible) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if key, ok := r.Signer.(*ecdsa.PrivateKey); ok {
		return key.Sign(nil, digest, opts)
	}
	return r.Signer.Sign(random, digest, opts)
}

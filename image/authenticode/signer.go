package authenticode

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"github.com/drivebay/drivebay/image/internal/keypair"
)

// Signer signs EFI programs. It may be used by several goroutines if its key may.
type Signer struct {
	// Key is what is signed with, an RSA key, and Certificate the one of its public
	// half.
	Key         crypto.Signer
	Certificate *x509.Certificate
	// Chain are certificates that a signature brings along, from the one that has
	// signed Certificate on, where firmware trusts none but the last.
	Chain []*x509.Certificate
}

// minKey is the shortest key in bits that UEFI wants firmware to take (UEFI 2.10,
// 32.4.1).
const minKey = 2048

// Load reads a signer's key and certificates from files in PEM.
func Load(key, certificate string) (*Signer, error) {
	k, chain, err := keypair.Load(key, certificate)
	if err != nil {
		return nil, err
	}
	s := &Signer{Key: k, Certificate: chain[0], Chain: chain[1:]}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("key %s: %w", key, err)
	}
	return s, nil
}

// check refuses what cannot sign.
func (s *Signer) check() error {
	if s.Key == nil || s.Certificate == nil {
		return fmt.Errorf("%w: want a key and a certificate", ErrKey)
	}
	public, ok := s.Key.Public().(*rsa.PublicKey)
	switch {
	case !ok:
		return fmt.Errorf("%w: it is of type %T, want RSA", ErrKey, s.Key.Public())
	case public.N.BitLen() < minKey:
		return fmt.Errorf("%w: it has %d bits, want at least %d", ErrKey, public.N.BitLen(), minKey)
	case !public.Equal(s.Certificate.PublicKey):
		return fmt.Errorf("%w: the certificate of %s is of another one", ErrKey, s.Certificate.Subject)
	}
	return nil
}

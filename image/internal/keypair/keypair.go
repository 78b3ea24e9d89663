// Package keypair reads private keys and their certificates.
package keypair

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
)

// ErrEncrypted is of a private key that wants a passphrase.
var ErrEncrypted = errors.New("private key is encrypted")

// Load reads a private key from a file in PEM, and from another one its certificate
// with those behind it, which may be of those who have signed it.
func Load(key, certificate string) (crypto.Signer, []*x509.Certificate, error) {
	keyPEM, err := os.ReadFile(key)
	if err != nil {
		return nil, nil, err
	}
	certificatePEM, err := os.ReadFile(certificate)
	if err != nil {
		return nil, nil, err
	}
	if isEncrypted(keyPEM) {
		return nil, nil, fmt.Errorf("key %s: %w: want one without a passphrase, as openssl pkey writes it", key, ErrEncrypted)
	}
	pair, err := tls.X509KeyPair(certificatePEM, keyPEM)
	if err != nil {
		return nil, nil, fmt.Errorf("key %s, certificate %s: %w", key, certificate, err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("key %s: is of type %T: want one that can sign", key, pair.PrivateKey)
	}
	chain, err := x509.ParseCertificates(bytes.Join(pair.Certificate, nil))
	if err != nil {
		return nil, nil, fmt.Errorf("certificate %s: %w", certificate, err)
	}
	return signer, chain, nil
}

// isEncrypted reports whether the first private key of a file is encrypted, in
// either of the ways of PKCS #8 and of OpenSSL before it.
func isEncrypted(b []byte) bool {
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED")
		}
	}
	return false
}

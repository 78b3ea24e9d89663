package authenticode

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"unicode/utf16"

	"github.com/drivebay/drivebay/image/internal/pecoff"
)

// The structures are written here and not by a library, because those that there
// are put the time of day among the attributes.

// Object identifiers of PKCS #7 and #9, and of Authenticode.
var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidRSA           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidIndirectData  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 4}
	oidPEImageData   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 15}
)

var (
	withSHA256 = pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}
	withRSA    = pkix.AlgorithmIdentifier{Algorithm: oidRSA, Parameters: asn1.NullRawValue}
)

// indirectData is SpcIndirectDataContent: what the digest is of, and the digest.
type indirectData struct {
	Data struct {
		Type  asn1.ObjectIdentifier
		Value peImageData
	}
	Digest struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
}

// peImageData is SpcPeImageData. File is a link that once told who has published
// the image.
type peImageData struct {
	Flags asn1.BitString
	File  asn1.RawValue
}

// contentInfo is ContentInfo of PKCS #7.
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue // under tag 0
}

// signedData is SignedData of PKCS #7.
type signedData struct {
	Version      int
	Digests      []pkix.AlgorithmIdentifier `asn1:"set"`
	Content      contentInfo
	Certificates asn1.RawValue // under tag 0
	Signers      []signerInfo  `asn1:"set"`
}

// signerInfo is SignerInfo of PKCS #7.
type signerInfo struct {
	Version int
	Issuer  struct {
		Name   asn1.RawValue
		Serial *big.Int
	}
	Digest     pkix.AlgorithmIdentifier
	Attributes asn1.RawValue // under tag 0
	Encryption pkix.AlgorithmIdentifier
	Signature  []byte
}

// attribute is Attribute of PKCS #9, of one value.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value []any `asn1:"set"`
}

// tagged returns what is under a tag of a structure's own.
func tagged(tag int, content ...[]byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: true, Bytes: bytes.Join(content, nil)}
}

// signature returns the signature of an image by its digest: SignedData of PKCS #7
// in DER.
func (s *Signer) signature(digest []byte) ([]byte, error) {
	content, err := marshalIndirectData(digest)
	if err != nil {
		return nil, err
	}
	attributes, err := marshalAttributes(content)
	if err != nil {
		return nil, err
	}
	signer := signerInfo{Version: 1, Digest: withSHA256, Encryption: withRSA, Attributes: tagged(0, contentOf(attributes))}
	signer.Issuer.Name.FullBytes = s.Certificate.RawIssuer
	signer.Issuer.Serial = s.Certificate.SerialNumber
	sum := sha256.Sum256(attributes)
	if signer.Signature, err = s.Key.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
		return nil, err
	}
	var certificates [][]byte
	for _, c := range append([]*x509.Certificate{s.Certificate}, s.Chain...) {
		certificates = append(certificates, c.Raw)
	}
	signed, err := asn1.Marshal(signedData{
		Version: 1, Digests: []pkix.AlgorithmIdentifier{withSHA256},
		Content:      contentInfo{oidIndirectData, tagged(0, content)},
		Certificates: tagged(0, certificates...),
		Signers:      []signerInfo{signer},
	})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(contentInfo{oidSignedData, tagged(0, signed)})
}

// marshalIndirectData returns SpcIndirectDataContent for the digest of an image.
func marshalIndirectData(digest []byte) ([]byte, error) {
	var obsolete []byte // what Authenticode wants for a publisher, in a string of 16-bit characters
	for _, c := range utf16.Encode([]rune("<<<Obsolete>>>")) {
		obsolete = binary.BigEndian.AppendUint16(obsolete, c)
	}
	text, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, Bytes: obsolete})
	if err != nil {
		return nil, err
	}
	link, err := asn1.Marshal(tagged(2, text))
	if err != nil {
		return nil, err
	}
	var d indirectData
	d.Data.Type, d.Data.Value.File = oidPEImageData, tagged(0, link)
	d.Digest.Algorithm, d.Digest.Digest = withSHA256, digest
	return asn1.Marshal(d)
}

// marshalAttributes returns the attributes that are signed, of a content: its type,
// and the digest of what is in it.
func marshalAttributes(content []byte) ([]byte, error) {
	sum := sha256.Sum256(contentOf(content))
	return asn1.MarshalWithParams([]attribute{
		{oidContentType, []any{oidIndirectData}}, {oidMessageDigest, []any{sum[:]}},
	}, "set") // which sorts them, as DER wants it
}

// contentOf returns what is in a structure in DER.
func contentOf(der []byte) []byte {
	var v asn1.RawValue
	_, _ = asn1.Unmarshal(der, &v) // it is one of ours
	return v.Bytes
}

// The header of an entry of the certificate table (PE Format, "The Attribute
// Certificate Table"), and what entries are aligned to, in bytes.
const (
	certificateHeader = 8
	certificateAlign  = 8
	revision2         = 0x0200
	typePKCS7         = 0x0002
)

// certificate returns the entry of the certificate table for a digest.
func (s *Signer) certificate(digest []byte) ([]byte, error) {
	der, err := s.signature(digest)
	if err != nil {
		return nil, err
	}
	size := pecoff.AlignUp(certificateHeader+int64(len(der)), certificateAlign)
	b := binary.LittleEndian.AppendUint32(nil, uint32(size))
	b = binary.LittleEndian.AppendUint16(b, revision2)
	b = binary.LittleEndian.AppendUint16(b, typePKCS7)
	b = append(b, der...)
	return append(b, make([]byte, size-int64(len(b)))...), nil
}

// certificateSize returns the size of the entry of the certificate table, which is
// the same for every digest, since a signature by RSA is as long as its key. One
// that is made shows it.
func (s *Signer) certificateSize() (int64, error) {
	if err := s.check(); err != nil {
		return 0, err
	}
	b, err := s.certificate(make([]byte, sha256.Size))
	return int64(len(b)), err
}

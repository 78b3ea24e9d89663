package spec

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/verity"
	"github.com/drivebay/drivebay/image/volume"
)

// Salt is what a hash tree hashes before every block. nil is derived from the seed.
type Salt []byte

// parseSalt takes hexadecimal digits, or none.
func parseSalt(text string) (Salt, error) {
	if text == "none" {
		return Salt{}, nil
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) == 0 || len(b) > 256 {
		return nil, errors.New("want 2 to 512 hexadecimal digits, or none")
	}
	return b, nil
}

// wantedKeys are the keys that a format cannot do without, and what they are.
var wantedKeys = map[string][]struct{ key, what string }{
	"verity": {{"of", "the name of the partition that it is the hash tree of"}},
	"verity-signature": {
		{"of", "the name of the partition of the hash tree"},
		{"key", "the file of the private key"}, {"certificate", "the file of the certificate"},
	},
}

// checkWanted refuses a content without a key that its format cannot do without.
func (d *decoder) checkWanted(c *Content) {
	for _, want := range wantedKeys[c.Format] {
		if !c.has(want.key) {
			d.failAt(c.begin, fmt.Errorf("no %s: format %s wants %s", want.key, c.Format, want.what))
		}
	}
}

// verityContent makes a hash tree.
func verityContent(_ *Spec, c *Content, _ *filetree.Tree) (volume.Content, error) {
	data, err := asInt("data-block-size", c.DataBlockSize)
	if err != nil {
		return nil, err
	}
	hash, err := asInt("hash-block-size", c.HashBlockSize)
	return &verity.HashTree{Of: c.Of, Params: verity.Params{
		Algorithm: c.Algorithm, DataBlockSize: data, HashBlockSize: hash, Salt: c.Salt, UUID: c.UUID,
	}}, err
}

// signatureContent makes the signature of a hash tree's root.
func signatureContent(s *Spec, c *Content, _ *filetree.Tree) (volume.Content, error) {
	key, certificate, err := verity.LoadKey(s.path(c.Key), s.path(c.Certificate))
	return &verity.Signature{Of: c.Of, Key: key, Certificate: certificate}, err
}

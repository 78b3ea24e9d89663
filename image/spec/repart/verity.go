package repart

import (
	"cmp"
	"slices"
	"strings"

	"github.com/drivebay/drivebay/image/spec"
	"github.com/drivebay/drivebay/image/verity"
)

// defaultBlock is the size in bytes of the blocks of a hash tree where no sector
// size is asked for, as from systemd 255 on.
const defaultBlock = 4096

// openTree makes the hash tree of a partition that is found when all are placed.
func (l *Layout) openTree(p *partition) {
	block := cmp.Or(l.definitions.options.SectorSize, defaultBlock)
	p.content = &verity.HashTree{Params: verity.Params{DataBlockSize: block, HashBlockSize: block}}
}

// openSignature makes the signature of a hash tree that is found when all are
// placed.
func (l *Layout) openSignature(p *partition) error {
	o := &l.definitions.options
	if o.PrivateKey == "" || o.Certificate == "" {
		return p.place("Verity").failf("Verity signature: want the options of a private key and a certificate")
	}
	key, certificate, err := verity.LoadKey(o.PrivateKey, o.Certificate)
	if err != nil {
		return p.place("Verity").failf("Verity signature: %w", err)
	}
	l.Sources = append(l.Sources, spec.Source{Path: o.PrivateKey}, spec.Source{Path: o.Certificate})
	p.content = &verity.Signature{Key: key, Certificate: certificate}
	return nil
}

// sibling returns the index of the part that another one has in the same dm-verity
// volume: they are there together or not at all, since they have one Priority.
func sibling(parts []*placed, p *placed, part Verity) int {
	return slices.IndexFunc(parts, func(other *placed) bool {
		return other.Verity == part && other.VerityMatchKey == p.VerityMatchKey
	})
}

// relate tells hash trees and signatures of which partitions they are.
func relate(parts []*placed) {
	for _, p := range parts {
		switch content := p.content.(type) {
		case *verity.HashTree:
			content.Number = sibling(parts, p, VerityData) + 1
		case *verity.Signature:
			content.Number = sibling(parts, p, VerityHash) + 1
		}
	}
}

// hasRootHashID reports whether a partition's UUID comes of a root hash.
func (d *Definition) hasRootHashID() bool {
	return d.places["UUID"].File == "" && (d.Verity == VerityData || d.Verity == VerityHash)
}

// checkSplitName refuses a name made of a UUID that is not known before all is
// written, or of a directory.
func (d *Definition) checkSplitName() error {
	if strings.Contains(strings.ReplaceAll(d.SplitName, "%%", ""), "%V") {
		return d.place("SplitName").failf("SplitName %q: %w: %%V in a name", d.SplitName, ErrNotSupported)
	}
	if d.hasRootHashID() && strings.Contains(d.SplitName, "%U") {
		return d.place("SplitName").failf("SplitName %q: %w: %%U of a partition whose UUID comes of the root hash", d.SplitName, ErrNotSupported)
	}
	return nil
}

// minimizeTrees gives the partitions of hash trees with Minimize the size that the
// largest data would need.
func minimizeTrees(parts []*placed) error {
	for _, p := range parts {
		tree, ok := p.content.(*verity.HashTree)
		if !ok || p.Minimize == MinimizeOff {
			continue
		}
		data := parts[sibling(parts, p, VerityData)]
		if data.size.max == unlimited {
			return p.place("Minimize").failf("Minimize %s: want a SizeMaxBytes of the partition with Verity=data, at %s", p.Minimize, data.place("Verity"))
		}
		size, err := tree.TreeSize(data.size.max)
		if err != nil {
			return p.place("Minimize").failf("Minimize: %w", err)
		}
		p.size.min = max(roundUp(size), p.SizeMin)
		if p.SizeMax >= 0 && p.size.min > p.SizeMax {
			return p.place("SizeMaxBytes").failf("SizeMaxBytes %d: want at least %d, what the hash tree needs", p.SizeMax, p.size.min)
		}
		p.size.max = p.size.min
	}
	return nil
}

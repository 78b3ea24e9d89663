package verity

import (
	"cmp"
	"crypto"
	_ "crypto/sha256" // the algorithms of newSum
	_ "crypto/sha512"
	"fmt"
	"hash"
	"math"

	"github.com/google/uuid"
)

// Limits of the parameters.
const (
	defaultAlgorithm = "sha256"
	defaultBlockSize = 4096
	minBlockSize     = 512
	maxBlockSize     = 64 << 10 // the largest page that Linux has: it takes no larger blocks (drivers/md/dm-verity-target.c)
	maxSalt          = 256
)

// algorithms are the hash algorithms by the names that the kernel has for them.
var algorithms = map[string]crypto.Hash{"sha256": crypto.SHA256, "sha512": crypto.SHA512}

// Params are the parameters of a hash tree, which its [Superblock] records.
type Params struct {
	// Algorithm is the hash algorithm, "sha256" or "sha512". Zero is sha256.
	Algorithm string
	// DataBlockSize and HashBlockSize are the sizes in bytes of what is hashed at
	// once and of what hashes are kept in: powers of two from 512 to 65536, of
	// which Linux takes those that are no smaller than the disk's sector and no
	// larger than its page. Zero is 4096.
	DataBlockSize, HashBlockSize int
	// Salt, of at most 256 bytes, is hashed before every block.
	Salt []byte
	// UUID identifies the hash tree.
	UUID uuid.UUID
}

// withDefaults returns the parameters with nothing left open.
func (p Params) withDefaults() Params {
	p.Algorithm = cmp.Or(p.Algorithm, defaultAlgorithm)
	p.DataBlockSize = cmp.Or(p.DataBlockSize, defaultBlockSize)
	p.HashBlockSize = cmp.Or(p.HashBlockSize, defaultBlockSize)
	return p
}

// check refuses what is out of range. Defaults have to be filled in.
func (p Params) check() error {
	if _, ok := algorithms[p.Algorithm]; !ok {
		return fmt.Errorf("verity: algorithm %q: %w: want sha256 or sha512", p.Algorithm, ErrOption)
	}
	for _, b := range []struct {
		name string
		size int
	}{{"data", p.DataBlockSize}, {"hash", p.HashBlockSize}} {
		if b.size < minBlockSize || b.size > maxBlockSize || b.size&(b.size-1) != 0 {
			return fmt.Errorf("verity: %s block size of %d bytes: %w: want a power of two from %d to %d", b.name, b.size, ErrOption, minBlockSize, maxBlockSize)
		}
	}
	if len(p.Salt) > maxSalt {
		return fmt.Errorf("verity: salt of %d bytes: %w: want at most %d", len(p.Salt), ErrOption, maxSalt)
	}
	return nil
}

// TreeSize returns the size in bytes of the hash tree of data of size bytes, its
// superblock included. Data that is no whole number of data blocks, or none, is an
// [ErrOption].
func (p Params) TreeSize(size int64) (int64, error) {
	p = p.withDefaults()
	g, err := p.geometry(size)
	return g.size, err
}

// geometry is how large a hash tree is.
type geometry struct {
	dataBlocks int64
	// fanout is how many digests there are in a hash block.
	fanout int64
	// levels are the hash blocks of each level, from the one that holds the digests
	// of the data up to the one of a single block. A single data block has none.
	levels []int64
	size   int64 // bytes, with the superblock
}

func (p Params) geometry(size int64) (g geometry, err error) {
	if err := p.check(); err != nil {
		return g, err
	}
	block := int64(p.DataBlockSize)
	if size <= 0 || size%block != 0 {
		return g, fmt.Errorf("verity: data of %d bytes: %w: want whole data blocks of %d bytes, one at least", size, ErrOption, block)
	}
	g.dataBlocks = size / block
	g.fanout = int64(p.HashBlockSize / p.slot())
	total := max(1, superblockSize/int64(p.HashBlockSize))
	for n := g.dataBlocks; n > 1; {
		n = (n-1)/g.fanout + 1
		g.levels = append(g.levels, n)
		total += n
	}
	if total > math.MaxInt64/int64(p.HashBlockSize) {
		return g, fmt.Errorf("verity: data of %d bytes: %w: its hash tree is larger than a disk can be", size, ErrOption)
	}
	g.size = total * int64(p.HashBlockSize)
	return g, nil
}

// slot returns what a digest takes of a hash block, in bytes: digests of all
// algorithms here are as large as a power of two, to which the kernel rounds up.
func (p Params) slot() int { return algorithms[p.Algorithm].Size() }

// summer hashes blocks, as hash type 1 has it: the salt first.
type summer struct {
	hash hash.Hash
	salt []byte
}

func (p Params) newSummer() *summer {
	return &summer{algorithms[p.Algorithm].New(), p.Salt}
}

// sum appends the digest of a block to dst.
func (s *summer) sum(dst, block []byte) []byte {
	s.hash.Reset()
	s.hash.Write(s.salt)
	s.hash.Write(block)
	return s.hash.Sum(dst)
}

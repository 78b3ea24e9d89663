package verity

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
)

// superblockSize is the size of a superblock in bytes.
const superblockSize = 512

// Versions that are known here.
const (
	superblockVersion = 1
	hashType          = 1 // salt before the block; 0 is Chrome OS's, behind it
)

var superblockMagic = []byte("verity\x00\x00")

// Superblock is what stands at the start of a hash tree (cryptsetup,
// lib/verity/verity.c, struct verity_sb).
type Superblock struct {
	// Params are the hash tree's.
	Params
	// DataBlocks is how many blocks of Params.DataBlockSize bytes are hashed.
	DataBlocks int64
}

// Offsets of the fields, in bytes. Numbers are little-endian.
const (
	sbVersion       = 8
	sbHashType      = 12
	sbUUID          = 16
	sbAlgorithm     = 32
	sbDataBlockSize = 64
	sbHashBlockSize = 68
	sbDataBlocks    = 72
	sbSaltSize      = 80
	sbSalt          = 88
	sbPadding       = 344
)

// encode returns the superblock's bytes.
func (s Superblock) encode() []byte {
	b := make([]byte, superblockSize)
	le := binary.LittleEndian
	copy(b, superblockMagic)
	le.PutUint32(b[sbVersion:], superblockVersion)
	le.PutUint32(b[sbHashType:], hashType)
	copy(b[sbUUID:], s.UUID[:])
	copy(b[sbAlgorithm:sbDataBlockSize], s.Algorithm)
	le.PutUint32(b[sbDataBlockSize:], uint32(s.DataBlockSize))
	le.PutUint32(b[sbHashBlockSize:], uint32(s.HashBlockSize))
	le.PutUint64(b[sbDataBlocks:], uint64(s.DataBlocks))
	le.PutUint16(b[sbSaltSize:], uint16(len(s.Salt)))
	copy(b[sbSalt:sbPadding], s.Salt)
	return b
}

// ParseSuperblock decodes the first 512 bytes of a hash tree. What is no
// superblock, or one of parameters that this package does not have, is an
// [ErrSuperblock].
func ParseSuperblock(b []byte) (s Superblock, err error) {
	bad := func(field string, value any, want any) error {
		return fmt.Errorf("verity: %s %v: %w: want %v", field, value, ErrSuperblock, want)
	}
	le := binary.LittleEndian
	switch {
	case len(b) < superblockSize:
		return s, bad("bytes", len(b), superblockSize)
	case !bytes.Equal(b[:sbVersion], superblockMagic):
		return s, bad("magic", fmt.Sprintf("%q", b[:sbVersion]), fmt.Sprintf("%q", superblockMagic))
	case le.Uint32(b[sbVersion:]) != superblockVersion:
		return s, bad("version", le.Uint32(b[sbVersion:]), superblockVersion)
	case le.Uint32(b[sbHashType:]) != hashType:
		return s, bad("hash type", le.Uint32(b[sbHashType:]), hashType)
	case le.Uint32(b[sbDataBlockSize:]) > maxBlockSize:
		return s, bad("data block size", le.Uint32(b[sbDataBlockSize:]), fmt.Sprint("at most ", maxBlockSize))
	case le.Uint32(b[sbHashBlockSize:]) > maxBlockSize:
		return s, bad("hash block size", le.Uint32(b[sbHashBlockSize:]), fmt.Sprint("at most ", maxBlockSize))
	case le.Uint16(b[sbSaltSize:]) > maxSalt:
		return s, bad("salt size", le.Uint16(b[sbSaltSize:]), fmt.Sprint("at most ", maxSalt))
	}
	algorithm, _, _ := bytes.Cut(b[sbAlgorithm:sbDataBlockSize], []byte{0})
	s.Params = Params{
		Algorithm:     string(algorithm),
		DataBlockSize: int(le.Uint32(b[sbDataBlockSize:])),
		HashBlockSize: int(le.Uint32(b[sbHashBlockSize:])),
		Salt:          bytes.Clone(b[sbSalt:][:le.Uint16(b[sbSaltSize:])]),
		UUID:          uuid.UUID(b[sbUUID:sbAlgorithm]),
	}
	if err := s.check(); err != nil {
		return Superblock{}, fmt.Errorf("%w: %w", ErrSuperblock, err)
	}
	blocks := le.Uint64(b[sbDataBlocks:])
	if blocks == 0 || blocks > maxData/uint64(s.DataBlockSize) {
		return Superblock{}, bad("data blocks", blocks, fmt.Sprintf("1 to %d of %d bytes", maxData/uint64(s.DataBlockSize), s.DataBlockSize))
	}
	s.DataBlocks = int64(blocks)
	return s, nil
}

// maxData is how many bytes of data there are at most.
const maxData = 1<<63 - 1

package ext4

import (
	"encoding/binary"
	"fmt"

	"github.com/drivebay/drivebay/image/filetree"
)

// Constants of the journal (include/linux/jbd2.h).
const (
	journalMagic        = 0xc03b3998
	journalSuperblockV2 = 4
	minJournal          = 1024     // blocks
	maxJournal          = 10240000 // blocks, as mke2fs has it
)

// journalSuperblock is the used part of journal_superblock_s, big-endian as all
// of a journal.
type journalSuperblock struct {
	Magic     uint32
	BlockType uint32
	HeaderSeq uint32

	BlockSize uint32
	MaxLen    uint32
	First     uint32

	Sequence uint32
	Start    uint32
	Errno    int32

	FeatureCompat   uint32
	FeatureIncompat uint32
	FeatureROCompat uint32

	UUID    [16]byte
	NrUsers uint32
}

// journalLen returns the journal's size in blocks for a volume of so many, as
// ext2fs_default_journal_size has it where none is asked for.
func (fs *FileSystem) journalLen(blocks, blockSize int64) int64 {
	if fs.JournalSize != 0 {
		return max(fs.JournalSize/blockSize, 0)
	}
	const k = 1024
	for _, s := range []struct{ below, journal int64 }{
		{2 * k, 0}, {32 * k, 1 * k}, {256 * k, 4 * k}, {512 * k, 8 * k}, {4096 * k, 16 * k},
		{8192 * k, 32 * k}, {16384 * k, 64 * k}, {32768 * k, 128 * k},
	} {
		if blocks < s.below {
			return s.journal
		}
	}
	return 256 * k
}

// checkJournal refuses sizes that no journal can have.
func (fs *FileSystem) checkJournal(blockSize int64) error {
	n := fs.JournalSize / blockSize
	switch {
	case fs.JournalSize == 0, fs.JournalSize == None:
		return nil
	case fs.JournalSize%blockSize != 0, n < minJournal, n > maxJournal:
		return fmt.Errorf("journal of %d bytes: want a multiple of %d from %d to %d, or None",
			fs.JournalSize, blockSize, minJournal*blockSize, maxJournal*blockSize)
	}
	return nil
}

// putJournal fills the first block of the journal, which is all of it that is
// not zero: it is empty, and the kernel chooses its features when it mounts.
func (p *plan) putJournal(b []byte) {
	clear(b)
	sb := journalSuperblock{
		Magic:     journalMagic,
		BlockType: journalSuperblockV2,
		BlockSize: uint32(p.blockSize),
		MaxLen:    uint32(p.journalBlocks),
		First:     1,
		Sequence:  1,
		UUID:      p.uuid,
		NrUsers:   1,
	}
	if _, err := binary.Encode(b, binary.BigEndian, &sb); err != nil {
		panic(err) // cannot happen: a block is longer
	}
}

func (p *plan) journalInode() inode {
	i := p.newInode(filetree.ModeRegular|0o600, p.journalBlocks*p.blockSize, &p.journal)
	i.setTree(&p.journal, p.blockSize)
	return i
}

// backUpJournal copies the place of the journal into the superblock, where
// e2fsck looks if the inode is lost.
func (p *plan) backUpJournal(sb *superblock) {
	i := p.journalInode()
	sb.JnlBackupType = backupBlocks
	for k := range 15 {
		sb.JnlBlocks[k] = binary.LittleEndian.Uint32(i.Block[k*4:])
	}
	sb.JnlBlocks[15], sb.JnlBlocks[16] = i.SizeHigh, i.SizeLo
}

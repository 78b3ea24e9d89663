package ext4

import (
	"encoding/binary"

	"github.com/drivebay/drivebay/image/filetree"
)

// The resize inode holds the blocks behind the group descriptors, for the
// descriptors of groups to come: through a double indirect block it leads to
// those behind the first superblock, each of which, as an indirect block, leads
// to its twins behind the backups (fs/ext4/resize.c, reserve_backup_gdb).

// dindBlock is where i_block has the double indirect block.
const dindBlock = 13

// backups returns the groups with a backup of the superblock.
func (l *layout) backups() []int64 {
	var list []int64
	for _, m := range l.meta {
		if m.kind == metaSuper && m.group > 0 {
			list = append(list, int64(m.group))
		}
	}
	return list
}

// resizeInode returns the inode, whose double indirect block is p.resizeBlock.
func (p *plan) resizeInode() inode {
	l := p.layout
	perBlock := l.blockSize / 4
	pl := placement{blocks: 1 + l.reservedGDT*int64(1+len(l.backups()))}
	// The size is all that single and double indirect blocks can reach.
	i := p.newInode(filetree.ModeRegular|0o600, (12+perBlock+perBlock*perBlock)*l.blockSize, &pl)
	binary.LittleEndian.PutUint32(i.Block[dindBlock*4:], uint32(p.resizeBlock))
	return i
}

// putResizeBlock fills the double indirect block: entry i is for block i of the
// descriptors, were there as many.
func (p *plan) putResizeBlock(b []byte) {
	clear(b)
	l := p.layout
	perBlock := l.blockSize / 4
	for i := l.descBlocks; i < l.descBlocks+l.reservedGDT; i++ {
		binary.LittleEndian.PutUint32(b[i%perBlock*4:], uint32(l.first+1+i))
	}
}

// putReservedBlock fills reserved block i behind the first superblock.
func (l *layout) putReservedBlock(b []byte, i int64, backups []int64) {
	clear(b)
	for k, g := range backups {
		binary.LittleEndian.PutUint32(b[k*4:], uint32(l.groupStart(g)+1+l.descBlocks+i))
	}
}

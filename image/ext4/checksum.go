package ext4

import "hash/crc32"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c continues the checksum crc over data as the kernel's function of this
// name does, without the inversions before and behind (lib/crc/crc32.c).
func crc32c(crc uint32, data []byte) uint32 {
	return ^crc32.Update(^crc, castagnoli, data)
}

// crc32cU32 continues a checksum over a little-endian number.
func crc32cU32(crc, v uint32) uint32 {
	for range 4 {
		crc = castagnoli[byte(crc)^byte(v)] ^ crc>>8
		v >>= 8
	}
	return crc
}

// inodeSeed is where the checksums of all that belongs to an inode begin:
// ext4_inode_info.i_csum_seed. All inodes here are of generation 0.
func (p *plan) inodeSeed(ino uint32) uint32 {
	return crc32cU32(crc32cU32(p.seed, ino), 0)
}

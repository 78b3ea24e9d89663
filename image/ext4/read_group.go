package ext4

// groupDescriptor returns where the inode table of a group begins.
func (v *readVolume) inodeTable(group int64) (int64, error) {
	b, err := v.descriptor(group)
	if err != nil {
		return 0, err
	}
	table := int64(le.Uint32(b[8:]))
	if v.descSize >= descSize {
		table |= int64(le.Uint32(b[40:])) << 32
	}
	return table, nil
}

// descriptor returns the descriptor of a group (struct ext4_group_desc).
func (v *readVolume) descriptor(group int64) ([]byte, error) {
	perBlock := v.blockSize / v.descSize
	b, err := v.block(v.descriptorBlock(group/perBlock, perBlock), "a block of group descriptors")
	if err != nil {
		return nil, err
	}
	b = b[group%perBlock*v.descSize:][:v.descSize]
	if v.checksums() {
		sum := crc32c(crc32cU32(v.seed, uint32(group)), b[:checksumOffset])
		sum = crc32c(sum, []byte{0, 0})
		sum = crc32c(sum, b[checksumOffset+2:])
		if err := checkSum(uint32(le.Uint16(b[checksumOffset:])), sum&0xffff, "the descriptor of group %d", group); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// descriptorBlock returns where block i of the group descriptors is (fs/ext4/super.c,
// descriptor_loc): all behind the superblock, or, with the feature meta_bg, each in
// the first of the groups that it describes.
func (v *readVolume) descriptorBlock(i, perBlock int64) int64 {
	super := int64(superblockOffset) >> v.blockBits
	if !v.incompat(incompatMetaBG) || i < int64(v.sb.FirstMetaBG) {
		return super + 1 + i
	}
	group := i * perBlock
	at := v.first + group*int64(v.sb.BlocksPerGroup)
	if v.hasSuper(group) {
		at++
	}
	if i == 0 && v.blockSize == 1024 && v.first == 0 { // bigalloc: the superblock is in block 1
		at++
	}
	return at
}

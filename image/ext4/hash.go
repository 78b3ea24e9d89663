package ext4

import "math/bits"

// hashHalfMD4 is DX_HASH_HALF_MD4, what the index of a directory is ordered by.
const hashHalfMD4 = 1

// htreeEOF is the hash that stands for a directory's end in the cursors of
// readdir (fs/ext4/ext4.h, EXT4_HTREE_EOF_32BIT), and is no file's.
const htreeEOF = 1<<31 - 1

// nameHash returns the hash of a name for a directory's index, with signed
// characters: fs/ext4/hash.c, __ext4fs_dirhash. Bit 0 is free for the index to
// mark a block that goes on with its predecessor's last hash.
func nameHash(seed [4]uint32, name []byte) uint32 {
	buf := [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
	if seed != [4]uint32{} {
		buf = seed
	}
	for ; len(name) > 0; name = name[min(32, len(name)):] {
		in := hashInput(name)
		halfMD4(&buf, &in)
	}
	hash := buf[1] &^ 1
	if hash == htreeEOF<<1 {
		hash = (htreeEOF - 1) << 1
	}
	return hash
}

// hashInput packs up to 32 bytes of a name, of which the rest may be longer,
// into words: str2hashbuf_signed.
func hashInput(name []byte) (in [8]uint32) {
	pad := uint32(len(name)) | uint32(len(name))<<8
	pad |= pad << 16
	for w := range in {
		val := pad
		for i := w * 4; i < min(w*4+4, len(name)); i++ {
			val = uint32(int32(int8(name[i]))) + val<<8
		}
		in[w] = val
	}
	return in
}

// halfMD4 mixes eight words into buf: MD4 cut down to half of its steps
// (fs/ext4/hash.c, half_md4_transform).
func halfMD4(buf *[4]uint32, in *[8]uint32) {
	a, b, c, d := buf[0], buf[1], buf[2], buf[3]
	choose := func(x, y, z uint32) uint32 { return z ^ (x & (y ^ z)) }
	major := func(x, y, z uint32) uint32 { return (x & y) + ((x ^ y) & z) }
	parity := func(x, y, z uint32) uint32 { return x ^ y ^ z }

	for i := 0; i < 8; i += 4 {
		a = bits.RotateLeft32(a+choose(b, c, d)+in[i], 3)
		d = bits.RotateLeft32(d+choose(a, b, c)+in[i+1], 7)
		c = bits.RotateLeft32(c+choose(d, a, b)+in[i+2], 11)
		b = bits.RotateLeft32(b+choose(c, d, a)+in[i+3], 19)
	}
	const root2, root3 = 0x5a827999, 0x6ed9eba1
	for i := 1; i >= 0; i-- {
		a = bits.RotateLeft32(a+major(b, c, d)+in[i]+root2, 3)
		d = bits.RotateLeft32(d+major(a, b, c)+in[i+2]+root2, 5)
		c = bits.RotateLeft32(c+major(d, a, b)+in[i+4]+root2, 9)
		b = bits.RotateLeft32(b+major(c, d, a)+in[i+6]+root2, 13)
	}
	for i := 3; i >= 1; i -= 2 {
		j := (i + 4) % 8
		a = bits.RotateLeft32(a+parity(b, c, d)+in[i]+root3, 3)
		d = bits.RotateLeft32(d+parity(a, b, c)+in[j]+root3, 9)
		c = bits.RotateLeft32(c+parity(d, a, b)+in[i-1]+root3, 11)
		b = bits.RotateLeft32(b+parity(c, d, a)+in[j-1]+root3, 15)
	}
	buf[0] += a
	buf[1] += b
	buf[2] += c
	buf[3] += d
}

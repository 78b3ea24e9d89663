package image

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/fat"
)

// signatureOf is how a format is recognised: bytes at an offset of the volume,
// and where it keeps its label and its UUID.
type signatureOf struct {
	format string
	offset int64
	magic  string
	label  field
	uuid   field
	// uuidString prints the UUID; nil is the usual form.
	uuidString func([]byte) string
}

// field is a place in a volume.
type field struct{ offset, size int64 }

// signatures are tried in this order, each being sure enough of itself. The
// offsets are those of the formats' own headers, given behind each.
var signatures = []signatureOf{
	{"crypto_LUKS", 0, "LUKS\xba\xbe", field{24, 48}, field{168, 36}, text},                // LUKS2 on-disk format, 2.1
	{"DM_verity_hash", 0, "verity\x00\x00", field{}, field{16, 16}, nil},                   // cryptsetup, dm-verity superblock
	{"squashfs", 0, "hsqs", field{}, field{}, nil},                                         // fs/squashfs/squashfs_fs.h
	{"xfs", 0, "XFSB", field{108, 12}, field{32, 16}, nil},                                 // fs/xfs/libxfs/xfs_format.h
	{"exfat", 3, "EXFAT   ", field{}, field{100, 4}, serial},                               // exFAT specification, 3.1
	{"ntfs", 3, "NTFS    ", field{}, field{}, nil},                                         //
	{"vfat", 82, "FAT32   ", field{71, 11}, field{67, 4}, serial},                          // fatgen103, boot sector
	{"vfat", 54, "FAT16   ", field{43, 11}, field{39, 4}, serial},                          //
	{"vfat", 54, "FAT12   ", field{43, 11}, field{39, 4}, serial},                          //
	{"erofs", 1024, "\xe2\xe1\xf5\xe0", field{1024 + 64, 16}, field{1024 + 48, 16}, nil},   // fs/erofs/erofs_fs.h
	{"ext4", 1024 + 56, "\x53\xef", field{1024 + 120, 16}, field{1024 + 104, 16}, nil},     // fs/ext4/ext4.h
	{"swap", 4096 - 10, "SWAPSPACE2", field{1024 + 28, 16}, field{1024 + 12, 16}, nil},     // include/linux/swap.h
	{"iso9660", 32769, "CD001", field{32768 + 40, 32}, field{32768 + 830, 16}, isoTime},    // ECMA-119, 8.4
	{"btrfs", 65536 + 64, "_BHRfS_M", field{65536 + 299, 256}, field{65536 + 32, 16}, nil}, // fs/btrfs, btrfs_super_block
}

// probe recognises what a volume holds. It returns "" for all that it does not
// know.
func probe(r *io.SectionReader) (format, label, id string) {
	for _, s := range signatures {
		if !bytes.Equal(readField(r, field{s.offset, int64(len(s.magic))}), []byte(s.magic)) {
			continue
		}
		format, label = s.format, text(readField(r, s.label))
		switch format {
		case "vfat":
			label = fatLabel(r)
		case "ext4":
			format = extVersion(r)
		}
		if b := readField(r, s.uuid); len(b) > 0 && s.uuidString != nil {
			id = s.uuidString(b)
		} else if u, err := uuid.FromBytes(b); err == nil && u != uuid.Nil {
			id = u.String()
		}
		return format, label, id
	}
	return "", "", ""
}

// extVersion tells the members of the ext family apart by their features, as
// blkid does.
func extVersion(r *io.SectionReader) string {
	const (
		hasJournal = 0x4  // s_feature_compat
		ext3Incomp = 0x16 // s_feature_incompat: filetype, recover, meta_bg
		ext3ROComp = 0x7  // s_feature_ro_compat: sparse_super, large_file, btree_dir
	)
	b := readField(r, field{1024 + 92, 12})
	if b == nil {
		return "ext2"
	}
	le := binary.LittleEndian
	compat, incompat, roCompat := le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:])
	switch {
	case incompat&^ext3Incomp != 0 || roCompat&^ext3ROComp != 0:
		return "ext4"
	case compat&hasJournal != 0:
		return "ext3"
	}
	return "ext2"
}

// fatLabel returns the label of a FAT, which is in its root directory: that one is
// what systems change and show. One that cannot be read has none.
func fatLabel(r *io.SectionReader) string {
	files, err := fat.Open(r, r.Size())
	if err != nil {
		return ""
	}
	label, _ := files.Label()
	return label
}

// isoTime returns what stands for the UUID of an ISO 9660: the time of its
// modification, as blkid prints it.
func isoTime(b []byte) string {
	s := text(b)
	if len(s) != 16 || strings.Trim(s, "0") == "" {
		return ""
	}
	return strings.Join([]string{s[:4], s[4:6], s[6:8], s[8:10], s[10:12], s[12:14], s[14:]}, "-")
}

// readField returns what is at a place of a volume, nil where there is none.
func readField(r io.ReaderAt, f field) []byte {
	b := make([]byte, f.size)
	if n, _ := r.ReadAt(b, f.offset); n < len(b) {
		return nil
	}
	return b
}

// text returns the text in a field that is padded with zeros or spaces.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return strings.TrimRight(s, " ")
}

// serial returns the volume ID of a FAT as blkid prints it.
func serial(b []byte) string {
	n := binary.LittleEndian.Uint32(b)
	return fmt.Sprintf("%04X-%04X", n>>16, n&0xffff)
}

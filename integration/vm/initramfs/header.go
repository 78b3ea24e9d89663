package initramfs

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
)

const (
	magic      = "070701" // newc, without checksums
	headerSize = 110      // bytes: the magic and 13 fields of 8 hexadecimal digits
	align      = 4        // bytes; of the name's end, and of the content's
	trailer    = "TRAILER!!!"
	maxSize    = 1<<32 - 1 // bytes of a file
)

// header holds the 13 fields of a cpio header in their order:
// buffer-format.rst, "cpio_header".
type header struct {
	Inode, Mode, UID, GID, Nlink, Mtime, FileSize   uint32
	Major, Minor, RdevMajor, RdevMinor, NameSize, _ uint32
}

// write writes the header and the name, up to where the content begins.
func (h header) write(w *countingWriter, name string) error {
	h.NameSize = uint32(len(name) + 1)
	var raw [(headerSize - len(magic)) / 2]byte
	if _, err := binary.Encode(raw[:], binary.BigEndian, h); err != nil {
		return err
	}
	b := make([]byte, 0, headerSize+len(name)+align)
	b = append(b, magic...)
	b = hex.AppendEncode(b, raw[:])
	b = append(b, name...)
	b = append(b, 0)
	if _, err := w.Write(b); err != nil {
		return err
	}
	return w.pad()
}

// readHeader reads the fields of one header. It returns io.EOF at the end of r.
func readHeader(r io.Reader) (header, error) {
	var b [headerSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return header{}, err
	}
	if string(b[:len(magic)]) != magic {
		return header{}, fmt.Errorf("%w: magic %q, want %q", ErrFormat, b[:len(magic)], magic)
	}
	var raw [(headerSize - len(magic)) / 2]byte
	if _, err := hex.Decode(raw[:], b[len(magic):]); err != nil {
		return header{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	var h header
	_, err := binary.Decode(raw[:], binary.BigEndian, &h)
	return h, err
}

// Types of stat(2)'s st_mode: include/uapi/linux/stat.h.
const (
	typeMask    = 0o170000
	typePipe    = 0o010000
	typeChar    = 0o020000
	typeDir     = 0o040000
	typeBlock   = 0o060000
	typeRegular = 0o100000
	typeSymlink = 0o120000
	setUID      = 0o4000
	setGID      = 0o2000
	sticky      = 0o1000
)

var types = map[fs.FileMode]uint32{
	0: typeRegular, fs.ModeDir: typeDir, fs.ModeSymlink: typeSymlink, fs.ModeNamedPipe: typePipe,
	fs.ModeDevice: typeBlock, fs.ModeDevice | fs.ModeCharDevice: typeChar,
}

var flags = map[fs.FileMode]uint32{fs.ModeSetuid: setUID, fs.ModeSetgid: setGID, fs.ModeSticky: sticky}

// unixMode returns the mode as a kernel knows it.
func unixMode(m fs.FileMode) (uint32, error) {
	u, ok := types[m.Type()]
	if !ok {
		return 0, fmt.Errorf("an archive has no files of the type %v", m.Type())
	}
	for flag, bit := range flags {
		if m&flag != 0 {
			u |= bit
		}
	}
	return u | uint32(m.Perm()), nil
}

// fileMode is the inverse of unixMode.
func fileMode(u uint32) (fs.FileMode, error) {
	for m, t := range types {
		if u&typeMask != t {
			continue
		}
		for flag, bit := range flags {
			if u&bit != 0 {
				m |= flag
			}
		}
		return m | fs.FileMode(u&0o777), nil
	}
	return 0, fmt.Errorf("%w: mode %#o has no known type", ErrFormat, u)
}

package filetree

import "io/fs"

// Types of files in st_mode as Linux file systems store it, and [Node.UnixMode]
// returns it (include/uapi/linux/stat.h). ModeType is the mask of the type.
const (
	ModeType    = 0o170000
	ModeSocket  = 0o140000
	ModeSymlink = 0o120000
	ModeRegular = 0o100000
	ModeBlock   = 0o060000
	ModeDir     = 0o040000
	ModeChar    = 0o020000
	ModeFIFO    = 0o010000
)

// The other bits of st_mode but for the permissions.
const (
	modeSetuid = 0o4000
	modeSetgid = 0o2000
	modeSticky = 0o1000
)

// UnixMode returns the type and permissions of mode as Linux encodes them in
// st_mode and as file systems store them.
func UnixMode(mode fs.FileMode) uint16 {
	m := uint16(mode.Perm())
	switch mode.Type() {
	case 0:
		m |= ModeRegular
	case fs.ModeDir:
		m |= ModeDir
	case fs.ModeSymlink:
		m |= ModeSymlink
	case fs.ModeNamedPipe:
		m |= ModeFIFO
	case fs.ModeSocket:
		m |= ModeSocket
	case fs.ModeDevice:
		m |= ModeBlock
	case fs.ModeDevice | fs.ModeCharDevice, fs.ModeCharDevice:
		m |= ModeChar
	}
	for _, bit := range modeBits {
		if mode&bit.mode != 0 {
			m |= bit.unix
		}
	}
	return m
}

// FileMode is the inverse of [UnixMode].
func FileMode(unix uint16) fs.FileMode {
	mode := fs.FileMode(unix & 0o777)
	switch unix & ModeType {
	case ModeRegular:
	case ModeDir:
		mode |= fs.ModeDir
	case ModeSymlink:
		mode |= fs.ModeSymlink
	case ModeFIFO:
		mode |= fs.ModeNamedPipe
	case ModeSocket:
		mode |= fs.ModeSocket
	case ModeBlock:
		mode |= fs.ModeDevice
	case ModeChar:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	default:
		mode |= fs.ModeIrregular
	}
	for _, bit := range modeBits {
		if unix&bit.unix != 0 {
			mode |= bit.mode
		}
	}
	return mode
}

var modeBits = [...]struct {
	mode fs.FileMode
	unix uint16
}{
	{fs.ModeSetuid, modeSetuid},
	{fs.ModeSetgid, modeSetgid},
	{fs.ModeSticky, modeSticky},
}

package filetree

import "io/fs"

// Bits of st_mode as Linux file systems store them (include/uapi/linux/stat.h).
const (
	modeType    = 0o170000
	modeSocket  = 0o140000
	modeSymlink = 0o120000
	modeRegular = 0o100000
	modeBlock   = 0o060000
	modeDir     = 0o040000
	modeChar    = 0o020000
	modeFIFO    = 0o010000
	modeSetuid  = 0o4000
	modeSetgid  = 0o2000
	modeSticky  = 0o1000
)

// UnixMode returns the type and permissions of mode as Linux encodes them in
// st_mode and as file systems store them.
func UnixMode(mode fs.FileMode) uint16 {
	m := uint16(mode.Perm())
	switch mode.Type() {
	case 0:
		m |= modeRegular
	case fs.ModeDir:
		m |= modeDir
	case fs.ModeSymlink:
		m |= modeSymlink
	case fs.ModeNamedPipe:
		m |= modeFIFO
	case fs.ModeSocket:
		m |= modeSocket
	case fs.ModeDevice:
		m |= modeBlock
	case fs.ModeDevice | fs.ModeCharDevice, fs.ModeCharDevice:
		m |= modeChar
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
	switch unix & modeType {
	case modeRegular:
	case modeDir:
		mode |= fs.ModeDir
	case modeSymlink:
		mode |= fs.ModeSymlink
	case modeFIFO:
		mode |= fs.ModeNamedPipe
	case modeSocket:
		mode |= fs.ModeSocket
	case modeBlock:
		mode |= fs.ModeDevice
	case modeChar:
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

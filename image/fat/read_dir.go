package fat

import (
	"io/fs"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/drivebay/drivebay/image/internal/rofs"
)

// Marks in the first byte of a directory entry (fatgen103, DIR_Name[0]), and the
// bit that the last part of a long name has in its number (LDIR_Ord).
const (
	entryEnd  = 0x00
	entryFree = 0xe5
	entryE5   = 0x05 // stands for a character 0xe5
	lastPart  = 0x40
)

// ReadDir lists a directory.
func (v *readVolume) ReadDir(id rofs.ID) ([]rofs.Child, error) {
	d, err := v.readDir(id)
	return d.list, err
}

func (v *readVolume) readDir(id rofs.ID) (d dirReader, err error) {
	runs, err := v.dirOf(id)
	if err != nil {
		return d, err
	}
	// They share nothing. Nobody who walks the tree shall find more than there is.
	if sum, most := v.listed.Add(id, bytesIn(runs)), v.sectors*v.sectorSize; sum > most {
		return d, damaged("directories have %d bytes up to this one: want at most the volume's %d", sum, most)
	}
	d.v = v
	for _, r := range runs {
		b := make([]byte, r.Length)
		if err := v.readAt(b, r.At, "a directory"); err != nil {
			return d, err
		}
		for at := 0; at+entrySize <= len(b); at += entrySize {
			if b[at] == entryEnd {
				return d, nil
			}
			if err := d.entry(b[at:][:entrySize], rofs.ID(r.At)+rofs.ID(at)); err != nil {
				return d, err
			}
		}
	}
	return d, nil
}

func bytesIn(runs []rofs.Run) (n int64) {
	for _, r := range runs {
		n += r.Length
	}
	return n
}

// dirOf returns where a directory is.
func (v *readVolume) dirOf(id rofs.ID) ([]rofs.Run, error) {
	switch {
	case id == rootID && v.typ == FAT32:
		return v.dirRuns(v.rootCluster)
	case id == rootID:
		return []rofs.Run{{At: v.rootAt, Length: v.rootSize}}, nil
	}
	b, err := v.entryBytes(id)
	if err != nil {
		return nil, err
	}
	return v.dirRuns(v.firstCluster(b))
}

// firstCluster returns the first cluster of a file. Only FAT32 has its upper half.
func (v *readVolume) firstCluster(entry []byte) uint32 {
	n := uint32(le.Uint16(entry[26:]))
	if v.typ == FAT32 {
		n |= uint32(le.Uint16(entry[20:])) << 16
	}
	return n
}

// dirReader reads the entries of a directory.
type dirReader struct {
	v     *readVolume
	list  []rofs.Child
	label string // of the volume, which the root has
	long  longName
}

// entry reads an entry. What is behind the long name of another file, which a
// driver that knows none has changed, is read without it.
func (d *dirReader) entry(e []byte, id rofs.ID) error {
	attr := e[11]
	switch {
	case e[0] == entryFree:
		d.long.reset()
		return nil
	case attr&0x3f == attrLongName:
		d.long.add(e)
		return nil
	case attr&attrVolumeID != 0:
		if attr&attrDir == 0 && d.label == "" {
			d.label = labelText(e[:11])
		}
		d.long.reset()
		return nil
	}
	name := d.long.text(checksum([11]byte(e[:11])))
	d.long.reset()
	if name == "" {
		name = shortNameText(e)
	}
	switch {
	case name == "." || name == "..":
		return nil
	case name == "":
		return damaged("directory entry at %d has no name", id)
	}
	c := rofs.Child{Name: name, ID: id}
	if attr&attrDir != 0 {
		c.Type, c.Place = fs.ModeDir, uint64(d.v.firstCluster(e))
		if d.v.typ == FAT32 && c.Place == uint64(d.v.rootCluster) {
			return damaged("directory %q in cluster %d is the root", name, c.Place)
		}
	}
	d.list = append(d.list, c)
	return nil
}

// longName is the parts of a long name, which come the last one first.
type longName struct {
	parts [][]byte
	sum   byte
	next  int // the number of the part to come
}

func (l *longName) reset() { l.parts, l.next = nil, 0 }

// add takes a part; one that is not the next begins anew or is dropped.
func (l *longName) add(e []byte) {
	number := int(e[0] &^ lastPart)
	if e[0]&lastPart != 0 {
		l.reset()
		l.next, l.sum = number, e[13]
	}
	if number != l.next || number == 0 || number > maxName/unitsPerEntry+1 || e[13] != l.sum {
		l.reset()
		return
	}
	l.parts = append(l.parts, e)
	l.next--
}

// text returns the name, if it is whole and belongs to an entry with a checksum.
func (l *longName) text(sum byte) string {
	if len(l.parts) == 0 || l.next != 0 || sum != l.sum {
		return ""
	}
	var units []uint16
	for i := len(l.parts) - 1; i >= 0; i-- {
		for _, field := range [...][2]int{{1, 11}, {14, 26}, {28, 32}} {
			for at := field[0]; at < field[1]; at += 2 {
				u := le.Uint16(l.parts[i][at:])
				if u == 0 {
					return string(utf16.Decode(units))
				}
				units = append(units, u)
			}
		}
	}
	return string(utf16.Decode(units))
}

// shortNameText returns an 8.3 name, with the case that Windows NT's flags give it.
func shortNameText(e []byte) string {
	name := [11]byte(e[:11])
	if name[0] == entryE5 {
		name[0] = 0xe5
	}
	stem, ext := codePageText(name[:8]), codePageText(name[8:])
	if e[12]&lowerStem != 0 {
		stem = strings.ToLower(stem)
	}
	if e[12]&lowerExt != 0 {
		ext = strings.ToLower(ext)
	}
	if ext == "" {
		return stem
	}
	return stem + "." + ext
}

func labelText(b []byte) string {
	label := [11]byte(b)
	if label[0] == entryE5 {
		label[0] = 0xe5
	}
	if text := codePageText(label[:]); text != noLabel {
		return text
	}
	return ""
}

// codePage437 is the upper half of the code page that Linux takes short names for,
// as long as nobody says otherwise (CONFIG_FAT_DEFAULT_CODEPAGE).
var codePage437 = []rune("ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0")

// codePageText returns the text of bytes that are padded with spaces.
func codePageText(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		if c < 0x80 {
			s.WriteByte(c)
		} else {
			s.WriteRune(codePage437[c-0x80])
		}
	}
	return strings.TrimRight(s.String(), " ")
}

// readTime returns the moment of a date and a time, the inverse of [timestamp]. A
// date of zero is the first of 1980, as it is to the kernel.
func readTime(date, clock uint16) time.Time {
	day, month, year := int(date&0x1f), time.Month(date>>5&0xf), 1980+int(date>>9)
	return time.Date(year, max(month, 1), max(day, 1), int(clock>>11), int(clock>>5&0x3f), 2*int(clock&0x1f), 0, time.UTC)
}

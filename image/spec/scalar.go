package spec

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/squashfs"
)

// Size is a number of bytes.
type Size int64

// parseCompression takes the name of a way to compress.
func parseCompression(text string) (squashfs.Compression, error) {
	c, err := squashfs.ParseCompression(text)
	if err != nil {
		return 0, errors.New("want zstd, gzip, xz, lz4 or none")
	}
	return c, nil
}

// parseTails takes a name of what is done with the tails of files in a squashfs.
func parseTails(text string) (squashfs.Tails, error) {
	t, err := squashfs.ParseTails(text)
	if err != nil {
		return 0, errors.New("want small, always or never")
	}
	return t, nil
}

// units are what may stand behind a number of bytes: powers of 1024, short as
// sfdisk has them or long, and of 1000 as everybody else has them.
var units = map[string]int64{
	"": 1, "B": 1,
	"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50, "E": 1 << 60,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "PiB": 1 << 50, "EiB": 1 << 60,
	"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15, "EB": 1e18,
}

var errSize = errors.New("want a number of bytes with an optional unit (KiB, MiB, GiB, TiB, or kB, MB, GB, TB), such as 64MiB or 1.5GiB")

// ParseSize takes a size as specs have it: "512", "64MiB", "64 MiB" and "1.5GiB", as long as it comes to a
// whole number of bytes.
func ParseSize(text string) (Size, error) {
	end := strings.LastIndexAny(text, "0123456789") + 1
	number, unit := text[:end], strings.TrimLeft(text[end:], " ")
	factor, ok := units[unit]
	if !ok || !isDecimal(number) {
		return 0, errSize
	}
	n, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, errSize
	}
	n.Mul(n, new(big.Rat).SetInt64(factor))
	switch {
	case !n.IsInt():
		return 0, errors.New("want a whole number of bytes")
	case !n.Num().IsInt64():
		return 0, fmt.Errorf("want at most %d bytes", int64(math.MaxInt64))
	}
	return Size(n.Num().Int64()), nil
}

// isDecimal reports whether a number is one that has one meaning only: 010 is 8
// to some, and ten to others.
func isDecimal(s string) bool {
	whole, frac, point := strings.Cut(s, ".")
	digits := func(s string) bool {
		return s != "" && len(s) <= 30 && strings.Trim(s, "0123456789") == ""
	}
	return digits(whole) && (!point || digits(frac)) && (len(whole) == 1 || whole[0] != '0')
}

// Extent is a size of a partition: an exact one, or bounds of one that is found.
// Zero is no size and no bound.
type Extent struct{ Exact, Min, Max Size }

// bounds is the mapping that an Extent may be in a file.
type bounds struct {
	Min Size `yaml:"min"`
	Max Size `yaml:"max"`
	place
}

// Free is room to be left beyond a content: Bytes, and Percent of what the content
// needs.
type Free struct {
	Bytes   Size
	Percent int
}

// parseFree takes "25%", "100MiB" and sums of these: "10% + 1GiB".
func parseFree(text string) (f Free, err error) {
	for term := range strings.SplitSeq(text, "+") {
		term = strings.TrimSpace(term)
		if strings.HasSuffix(term, "%") {
			p, err := parsePercent(term)
			if err != nil {
				return f, err
			}
			f.Percent += int(p)
			continue
		}
		n, err := ParseSize(term)
		if err != nil {
			return f, errors.New("want a percentage, or a number of bytes with an optional unit, or their sum, such as 25%, 100MiB or 10%+1GiB")
		}
		if f.Bytes += n; f.Bytes < 0 {
			return f, fmt.Errorf("want at most %d bytes", int64(math.MaxInt64))
		}
	}
	return f, nil
}

// Percent is a share in percent. Of [Content.Reserved], zero is the format's
// default, and -1 none.
type Percent int

// maxPercent is as much as anybody could mean.
const maxPercent = 1_000_000

func parsePercent(text string) (Percent, error) {
	number, ok := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(strings.TrimRight(number, " "))
	if !ok || err != nil || n < 0 || n > maxPercent || strings.HasPrefix(text, "+") {
		return 0, errors.New("want a whole percentage, such as 25%")
	}
	return Percent(n), nil
}

// parseReserved takes a percentage, and "none".
func parseReserved(text string) (Percent, error) {
	if text == "none" {
		return -1, nil
	}
	p, err := parsePercent(text)
	switch {
	case err != nil:
		return 0, errors.New("want a whole percentage, such as 5%, or none")
	case p == 0:
		return -1, nil
	}
	return p, nil
}

// Journal is the size of a journal in bytes. Zero is by the size of the volume,
// -1 is none.
type Journal int64

func parseJournal(text string) (Journal, error) {
	if text == "none" {
		return -1, nil
	}
	n, err := ParseSize(text)
	if err != nil || n == 0 {
		return 0, errors.New("want a size such as 64MiB, or none")
	}
	return Journal(n), nil
}

// DiskID is the GUID of a GPT disk, or an MBR disk's signature in its first four
// bytes, as they lie on the disk.
type DiskID uuid.UUID

// parseDiskID takes a GUID, or the signature of an MBR as blkid prints it.
func parseDiskID(text string) (DiskID, error) {
	if b, err := hex.DecodeString(strings.TrimPrefix(text, "0x")); err == nil && len(b) == 4 {
		slices.Reverse(b)
		var id DiskID
		copy(id[:], b)
		return id, nil
	}
	id, err := parseUUID(text)
	if err != nil {
		return DiskID{}, errors.New("want a GUID, or for an MBR disk a signature of 8 hexadecimal digits")
	}
	return DiskID(id), nil
}

// VolumeID is the serial number of a FAT.
type VolumeID uint32

func parseVolumeID(text string) (VolumeID, error) {
	b, err := hex.DecodeString(strings.Replace(text, "-", "", 1))
	if err != nil || len(b) != 4 || len(text) == 9 && text[4] != '-' || binary.BigEndian.Uint32(b) == 0 {
		return 0, errors.New("want 8 hexadecimal digits, not all zero, such as 1234-ABCD")
	}
	return VolumeID(binary.BigEndian.Uint32(b)), nil
}

func parseUUID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 || id == uuid.Nil {
		return uuid.Nil, errors.New("want a UUID that is not zero, such as 8f1c2c3e-0000-4000-8000-000000000001")
	}
	return id, nil
}

// parseTime takes a time as RFC 3339 has it, a date, or seconds since 1970.
func parseTime(text string) (time.Time, error) {
	if sec, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(sec, 0).UTC(), nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("want a time such as 2026-01-31T12:00:00Z, a date such as 2026-01-31, or seconds since 1970")
}

// Owner is the numbers of a user and a group.
type Owner struct{ UID, GID uint32 }

func parseOwner(text string) (Owner, error) {
	user, group, _ := strings.Cut(text, ":")
	uid, err := strconv.ParseUint(user, 10, 32)
	gid, err2 := strconv.ParseUint(group, 10, 32)
	if err != nil || err2 != nil {
		return Owner{}, errors.New("want the numbers of a user and a group, such as \"0:0\"")
	}
	return Owner{UID: uint32(uid), GID: uint32(gid)}, nil
}

// Mode is the permissions of a file as chmod takes them: 04755.
type Mode uint16

func parseMode(text string) (Mode, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 16)
	if err != nil || n > 0o7777 {
		return 0, errors.New("want permissions in octal, from 0000 to 7777, such as \"0644\"")
	}
	return Mode(n), nil
}

// FileMode returns the permissions as package fs has them.
func (m Mode) FileMode() fs.FileMode { return filetree.FileMode(uint16(m)) &^ fs.ModeType }

func (m *Mode) fileMode() *fs.FileMode {
	if m == nil {
		return nil
	}
	f := m.FileMode()
	return &f
}

// Device is a device file's type and number.
type Device struct {
	Block        bool
	Major, Minor uint32
}

// parseDevice takes "c 1:3" or "b 8:0", the words of mknod, and their long forms.
func parseDevice(text string) (d Device, err error) {
	var kind string
	if n, _ := fmt.Sscanf(text, "%s %d:%d", &kind, &d.Major, &d.Minor); n == 3 && text == fmt.Sprintf("%s %d:%d", kind, d.Major, d.Minor) {
		switch kind {
		case "b", "block":
			d.Block = true
			return d, nil
		case "c", "char":
			return d, nil
		}
	}
	return d, errors.New("want a type and a number, such as \"char 1:3\" or \"block 8:0\"")
}

// Xattr is an extended attribute.
type Xattr struct {
	Name  string
	Value []byte
}

// parseXattrValue takes a text, and as setfattr does, 0x before hexadecimal digits
// and 0s before base64.
func parseXattrValue(text string) (value []byte, err error) {
	switch {
	case strings.HasPrefix(text, "0x"), strings.HasPrefix(text, "0X"):
		value, err = hex.DecodeString(text[2:])
	case strings.HasPrefix(text, "0s"), strings.HasPrefix(text, "0S"):
		value, err = base64.StdEncoding.DecodeString(text[2:])
	default:
		return []byte(text), nil
	}
	if err != nil {
		err = errors.New("want a text, 0x and hexadecimal digits, or 0s and base64")
	}
	return value, err
}

func parseTable(text string) (image.Table, error) {
	for t := image.GPT; t <= image.NoTable; t++ {
		if t.String() == text {
			return t, nil
		}
	}
	return 0, errors.New("want gpt, mbr or none")
}

func parseType(text string) (image.Type, error) {
	t := image.Type(text)
	if _, err := t.GUID(); err == nil {
		return t, nil
	}
	if _, err := t.MBR(); err == nil {
		return t, nil
	}
	return "", errors.New("want a name such as esp or root-x86-64, a GUID, or a byte such as 0x0c")
}

func parseAttribute(text string) (a image.Attributes, err error) {
	if text == "" || strings.Contains(text, ",") {
		return 0, errors.New("want the name of one attribute")
	}
	err = a.UnmarshalText([]byte(text))
	return a, err
}

// scalars are the types that are written as one scalar, and what reads them.
var scalars = func() map[reflect.Type]func(string) (any, error) {
	all := map[reflect.Type]func(string) (any, error){}
	for _, s := range []scalar{
		of(ParseSize), of(parseFree), of(parseReserved), of(parseJournal), of(parseDiskID), of(parseVolumeID), of(parseUUID),
		of(parseTime), of(parseOwner), of(parseMode), of(parseDevice), of(parseTable), of(parseType), of(parseAttribute),
		of(parseCompression), of(parseTails), of(parsePlatform), of(parseSalt),
	} {
		all[s.typ] = s.parse
	}
	return all
}()

type scalar struct {
	typ   reflect.Type
	parse func(string) (any, error)
}

func of[T any](parse func(string) (T, error)) scalar {
	return scalar{reflect.TypeFor[T](), func(text string) (any, error) { return parse(text) }}
}

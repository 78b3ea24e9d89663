package filetree

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// tarBlock is the unit of an archive, in bytes.
const tarBlock = 512

// member is where the content of an archive's member lies in it.
type member struct {
	start int64 // of the data
	end   int64 // of the member, and so the start of the next
}

// sparse returns where a sparse file has its data, nil for a file that is not
// sparse, and puts the member's end right. archive/tar understands the maps but
// keeps them to itself. begin is where the member's headers begin.
//
// See "Storing Sparse Files" in the manual of GNU tar.
func (m *member) sparse(r io.ReaderAt, begin int64, h *tar.Header) ([]Range, error) {
	b := blockReader{r: r, pos: begin}
	fields := func() ([]string, error) {
		text := h.PAXRecords["GNU.sparse.map"]
		return strings.FieldsFunc(text, func(r rune) bool { return r == ',' }), nil
	}
	version := h.PAXRecords["GNU.sparse.major"] + "." + h.PAXRecords["GNU.sparse.minor"]
	switch {
	case h.Typeflag == tar.TypeGNUSparse:
		fields = b.oldSparseMap
	case version == "1.0":
		fields = b.sparseMap10
	case version == "0.0", version == "0.1", version == "." && h.PAXRecords["GNU.sparse.map"] != "":
	case version == ".":
		return nil, nil
	default:
		return nil, fmt.Errorf("sparse file of version %s: %w", version, errors.ErrUnsupported)
	}
	size, err := b.header()
	if err != nil {
		return nil, fmt.Errorf("sparse file: %w", err)
	}
	if text := h.PAXRecords["size"]; text != "" {
		if size, err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, fmt.Errorf("sparse file: %w", tar.ErrHeader)
		}
	}
	m.end = b.pos // of the header
	if h.Typeflag == tar.TypeGNUSparse {
		m.end = m.start // of the blocks that extend it
	}
	m.end += roundUp(size, tarBlock)
	list, err := fields()
	if err != nil {
		return nil, fmt.Errorf("sparse map: %w", err)
	}
	data, err := sparseRanges(list)
	if err != nil {
		return nil, fmt.Errorf("sparse map: %w", err)
	}
	pos := m.start
	for _, d := range data {
		if d.Length < 0 || d.Length > m.end-pos {
			return nil, fmt.Errorf("sparse map: %w: its data is longer than the member", tar.ErrHeader)
		}
		pos += d.Length
	}
	return data, nil
}

// sparseRanges turns the numbers of a map, offset and length of each range, into
// ranges that are neither empty nor adjacent.
func sparseRanges(fields []string) ([]Range, error) {
	list := []Range{}
	if len(fields)%2 != 0 {
		return nil, fmt.Errorf("%w: it has %d numbers, want pairs", tar.ErrHeader, len(fields))
	}
	for i := 0; i < len(fields); i += 2 {
		offset, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return nil, tar.ErrHeader
		}
		length, err := strconv.ParseInt(fields[i+1], 10, 64)
		if err != nil {
			return nil, tar.ErrHeader
		}
		last := len(list) - 1
		switch {
		case length == 0:
		case last >= 0 && list[last].End() == offset:
			list[last].Length += length
		default:
			list = append(list, Range{Offset: offset, Length: length})
		}
	}
	return list, nil
}

// blockReader reads an archive block by block.
type blockReader struct {
	r     io.ReaderAt
	pos   int64
	block [tarBlock]byte
}

// next reads the next block. What a spool file has not got yet is zero.
func (b *blockReader) next() error {
	clear(b.block[:])
	n, err := b.r.ReadAt(b.block[:], b.pos)
	b.pos += tarBlock
	if err != nil && (err != io.EOF || n == 0) {
		return unexpected(err)
	}
	return nil
}

// header reads the member's own header and returns the size in it: headers before
// it, of PAX or for a long name, are passed over.
func (b *blockReader) header() (size int64, err error) {
	for {
		if err := b.next(); err != nil {
			return 0, err
		}
		if size, err = tarNumber(b.block[124:136]); err != nil {
			return 0, err
		}
		switch b.block[156] {
		case tar.TypeXHeader, tar.TypeGNULongName, tar.TypeGNULongLink:
			b.pos += roundUp(size, tarBlock)
		default:
			return size, nil
		}
	}
}

// oldSparseMap returns the map of the old format, in the header, which has been
// read, and the blocks that extend it.
func (b *blockReader) oldSparseMap() ([]string, error) {
	const entry = 24 // two numbers of 12 characters
	var fields []string
	entries, extended := b.block[386:386+4*entry], b.block[482]
	for {
		for ; len(entries) >= entry && entries[0] != 0; entries = entries[entry:] {
			for _, number := range [2][]byte{entries[:12], entries[12:24]} {
				n, err := tarNumber(number)
				if err != nil {
					return nil, err
				}
				fields = append(fields, strconv.FormatInt(n, 10))
			}
		}
		if extended == 0 {
			return fields, nil
		}
		if err := b.next(); err != nil {
			return nil, err
		}
		entries, extended = b.block[:21*entry], b.block[504]
	}
}

// sparseMap10 returns the map of format 1.0: lines between the header, which has
// been read, and the data. The first is how many pairs follow.
func (b *blockReader) sparseMap10() ([]string, error) {
	var text []byte
	want := 1 // lines
	for lines := 0; lines < want; {
		if err := b.next(); err != nil {
			return nil, err
		}
		text = append(text, b.block[:]...)
		lines += bytes.Count(b.block[:], []byte("\n"))
		if first, _, ok := strings.Cut(string(text[:min(len(text), 32)]), "\n"); ok && want == 1 {
			pairs, err := strconv.ParseInt(first, 10, 30)
			if err != nil || pairs < 0 {
				return nil, tar.ErrHeader
			}
			want = 1 + 2*int(pairs)
		}
	}
	return strings.SplitN(string(text), "\n", want+1)[1:want], nil
}

// tarNumber returns a number of a header: octal, or, with the first bit set, in
// base 256.
func tarNumber(b []byte) (int64, error) {
	if b[0]&0x80 == 0 {
		text := strings.Trim(string(b), " \x00")
		if text == "" {
			return 0, nil
		}
		n, err := strconv.ParseInt(text, 8, 64)
		if err != nil || n < 0 {
			return 0, tar.ErrHeader
		}
		return n, nil
	}
	n := int64(b[0] & 0x7f)
	for _, c := range b[1:] {
		if n > 1<<54 {
			return 0, tar.ErrHeader
		}
		n = n<<8 | int64(c)
	}
	return n, nil
}

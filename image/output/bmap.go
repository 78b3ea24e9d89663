package output

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/drivebay/drivebay/image/volume"
)

// BmapBlockSize is the unit in bytes in which a [Bmap] counts.
const BmapBlockSize = 4096

// Bmap makes the map of a disk that passes through it: which blocks have to be
// copied to make another disk equal, and their checksums. It is the input of
// bmaptool(1), of version 2.0.
type Bmap struct {
	size   int64
	blocks int64 // of the disk
	mapped int64 // blocks
	ranges []blockRange
	cur    int       // the range that is hashed
	hash   hash.Hash // of it
	pos    int64     // how far, in bytes of the disk
	done   bool
}

// blockRange is a row of blocks that are copied, from first to last.
type blockRange struct {
	first, last int64
	sum         [sha256.Size]byte
}

// NewBmap returns the maker of the map of a disk of size bytes, of which used are
// the extents that matter, ascending: those that may hold anything else than zeros,
// and those that have to be zero.
func NewBmap(size int64, used []volume.Extent) (*Bmap, error) {
	m := &Bmap{size: size, blocks: ceilDiv(size, BmapBlockSize), hash: sha256.New()}
	for _, e := range used {
		if err := checkRange("bmap", 0, e.Offset, size); err != nil || e.Length > size-e.Offset {
			return nil, &OptionError{"bmap", "extent", e, fmt.Sprintf("one on the disk of %d bytes", size)}
		}
		if e.Length <= 0 {
			continue
		}
		r := blockRange{first: e.Offset / BmapBlockSize, last: (e.Offset + e.Length - 1) / BmapBlockSize}
		if k := len(m.ranges) - 1; k >= 0 && r.first <= m.ranges[k].last+1 {
			m.ranges[k].last = max(r.last, m.ranges[k].last)
		} else {
			m.ranges = append(m.ranges, r)
		}
	}
	for _, r := range m.ranges {
		m.mapped += r.last - r.first + 1
	}
	if len(m.ranges) > 0 {
		m.pos = m.ranges[0].first * BmapBlockSize
	}
	return m, nil
}

// WriteAt takes bytes of the disk. What is outside of the extents that matter is an
// error: the map would be wrong.
func (m *Bmap) WriteAt(p []byte, off int64) (int, error) {
	if m.done {
		return 0, errFinished
	}
	for m.cur < len(m.ranges) && off >= m.end() {
		m.next()
	}
	if m.cur == len(m.ranges) || off < m.pos || off+int64(len(p)) > m.end() {
		return 0, fmt.Errorf("bmap: %d bytes at offset %d: want none where the plan says that nothing is", len(p), off)
	}
	m.skipTo(off)
	m.pos += int64(len(p))
	return m.hash.Write(p)
}

// end returns where the current range ends on the disk.
func (m *Bmap) end() int64 { return min((m.ranges[m.cur].last+1)*BmapBlockSize, m.size) }

// zeros is what is not written.
var zeros [64 << 10]byte

// skipTo hashes zeros.
func (m *Bmap) skipTo(off int64) {
	for m.pos < off {
		n, _ := m.hash.Write(zeros[:min(off-m.pos, int64(len(zeros)))]) // never fails
		m.pos += int64(n)
	}
}

// next completes the current range.
func (m *Bmap) next() {
	m.skipTo(m.end())
	m.hash.Sum(m.ranges[m.cur].sum[:0])
	m.hash.Reset()
	m.cur++
	if m.cur < len(m.ranges) {
		m.pos = m.ranges[m.cur].first * BmapBlockSize
	}
}

// WriteTo finishes the map and writes it to w. Nothing can be written to the map
// afterwards.
func (m *Bmap) WriteTo(w io.Writer) (int64, error) {
	m.done = true
	for m.cur < len(m.ranges) {
		m.next()
	}
	text := m.text()
	// The map's own checksum is made with zeros in its place.
	sum := sha256.Sum256([]byte(text))
	text = strings.Replace(text, noChecksum, hex.EncodeToString(sum[:]), 1)
	return io.Copy(w, strings.NewReader(text))
}

// noChecksum stands where the map's own checksum will be.
var noChecksum = strings.Repeat("0", 2*sha256.Size)

func (m *Bmap) text() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<?xml version="1.0" ?>
<bmap version="2.0">
    <!-- What is not listed here holds nothing that matters. -->
    <ImageSize> %d </ImageSize>
    <BlockSize> %d </BlockSize>
    <BlocksCount> %d </BlocksCount>
    <MappedBlocksCount> %d </MappedBlocksCount>
    <ChecksumType> sha256 </ChecksumType>
    <BmapFileChecksum> %s </BmapFileChecksum>
    <BlockMap>
`, m.size, BmapBlockSize, m.blocks, m.mapped, noChecksum)
	for _, r := range m.ranges {
		place := fmt.Sprint(r.first)
		if r.last > r.first {
			place = fmt.Sprintf("%d-%d", r.first, r.last)
		}
		fmt.Fprintf(&b, "        <Range chksum=\"%x\"> %s </Range>\n", r.sum, place)
	}
	b.WriteString("    </BlockMap>\n</bmap>\n")
	return b.String()
}

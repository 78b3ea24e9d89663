package fat

import (
	"context"
	"encoding/binary"

	"github.com/drivebay/drivebay/image/volume"
)

// endOfChain marks the last cluster of a chain. Types of fewer bits take as many
// of it as they have.
const endOfChain = 0x0fffffff

// writeTable writes one copy of the file allocation table, up to the last
// cluster that is taken.
func (p *plan) writeTable(ctx context.Context, w *volume.Writer) error {
	t := tableWriter{w: w, typ: p.typ}
	// The second entry's upper bits say that the volume was unmounted and no
	// errors were met: they are set where all is well.
	t.put(0x0fffff00 | uint32(p.mediaByte()))
	t.put(endOfChain)
	for i := range p.content.dirs {
		t.chain(p.dirClusters(i))
	}
	for n := range p.content.regular() {
		if err := w.Err(ctx); err != nil {
			return err
		}
		t.chain(ceil(n.Size(), p.clusterSize()))
	}
	return t.flush()
}

// tableWriter writes the entries of a file allocation table.
type tableWriter struct {
	w    *volume.Writer
	typ  Type
	next uint32 // the entry to be written
	half byte   // FAT12: the low half of the byte that is not whole yet
	buf  []byte
	err  error
}

// tableBuffer is how much of a table is kept before it is written.
const tableBuffer = 64 << 10

// chain writes the entries of a chain of the next n clusters.
func (t *tableWriter) chain(n int64) {
	for ; n > 1; n-- {
		t.put(t.next + 1)
	}
	if n == 1 {
		t.put(endOfChain)
	}
}

// put writes the next entry.
func (t *tableWriter) put(v uint32) {
	switch {
	case t.typ == FAT32:
		t.buf = binary.LittleEndian.AppendUint32(t.buf, v)
	case t.typ == FAT16:
		t.buf = binary.LittleEndian.AppendUint16(t.buf, uint16(v))
	case t.next%2 == 0:
		t.buf = append(t.buf, byte(v))
		t.half = byte(v>>8) & 0x0f
	default:
		t.buf = append(t.buf, t.half|byte(v<<4), byte(v>>4))
	}
	t.next++
	if len(t.buf) >= tableBuffer {
		t.write()
	}
}

func (t *tableWriter) write() {
	if t.err == nil {
		_, t.err = t.w.Write(t.buf)
	}
	t.buf = t.buf[:0]
}

// flush writes what is left and returns the first error.
func (t *tableWriter) flush() error {
	if t.typ == FAT12 && t.next%2 == 1 {
		t.buf = append(t.buf, t.half)
	}
	t.write()
	return t.err
}

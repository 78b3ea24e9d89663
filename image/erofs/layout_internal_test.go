package erofs

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

var created = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

func planOf(t *testing.T, tr *filetree.Tree, blockSize int) *plan {
	t.Helper()
	fs := &FileSystem{Tree: tr, BlockSize: blockSize}
	p, err := fs.Plan(t.Context(), volume.Geometry{SectorSize: 512, Time: created})
	require.NoError(t, err)
	return p.(*plan)
}

// An inode that has the time of creation takes 32 bytes, any other 64. A tail has to
// be in one block with it.
func TestShapes(t *testing.T) {
	later := func(e *filetree.Entry) { e.ModTime = created.Add(1) }
	xattrs := func(n int) func(e *filetree.Entry) {
		return func(e *filetree.Entry) {
			e.Xattrs = []filetree.Xattr{{Name: "user.x", Value: make([]byte, n-xattrHeaderLen-xattrEntryLen-1)}}
		}
	}
	for _, tc := range []struct {
		size      int64
		blockSize int
		change    func(e *filetree.Entry)
		want      shape // but for what is given already
	}{
		{0, 4096, nil, shape{layout: layoutPlain}},
		{1, 4096, nil, shape{layout: layoutInline, tail: 1}},
		{4064, 4096, nil, shape{layout: layoutInline, tail: 4064}},
		{4065, 4096, nil, shape{layout: layoutPlain, blocks: 1}},
		{4096, 4096, nil, shape{layout: layoutPlain, blocks: 1}},
		{4097, 4096, nil, shape{layout: layoutInline, blocks: 1, tail: 1}},
		{8191, 4096, nil, shape{layout: layoutPlain, blocks: 2}},
		{8192, 4096, nil, shape{layout: layoutPlain, blocks: 2}},
		{480, 512, nil, shape{layout: layoutInline, tail: 480}},
		{481, 512, nil, shape{layout: layoutPlain, blocks: 1}},
		{4032, 4096, later, shape{extended: true, layout: layoutInline, tail: 4032}},
		{4033, 4096, later, shape{extended: true, layout: layoutPlain, blocks: 1}},
		{1, 4096, func(e *filetree.Entry) { e.UID = 65536 }, shape{extended: true, layout: layoutInline, tail: 1}},
		{1, 4096, func(e *filetree.Entry) { e.GID = 65536 }, shape{extended: true, layout: layoutInline, tail: 1}},
		{1, 4096, func(e *filetree.Entry) { e.UID, e.GID = 65535, 65535 }, shape{layout: layoutInline, tail: 1}},
		{1<<32 - 1, 4096, nil, shape{layout: layoutPlain, blocks: 1 << 20}},
		{1 << 32, 4096, nil, shape{extended: true, layout: layoutPlain, blocks: 1 << 20}},
		{4024, 4096, xattrs(40), shape{layout: layoutInline, tail: 4024}},
		{4025, 4096, xattrs(40), shape{layout: layoutPlain, blocks: 1}},
		{1, 4096, xattrs(5000), shape{layout: layoutPlain, blocks: 1}},
		{4097, 4096, xattrs(5000), shape{layout: layoutPlain, blocks: 2}},
	} {
		t.Run(fmt.Sprint(tc.size, tc.blockSize), func(t *testing.T) {
			tr := filetree.New()
			e := filetree.Entry{Size: tc.size, ModTime: created, Data: []filetree.Range{{Length: tc.size}}}
			if tc.size == 0 {
				e.Data = nil
			}
			if tc.change != nil {
				tc.change(&e)
			}
			n, err := tr.Add("file", e)
			require.NoError(t, err)
			got, err := planOf(t, tr, tc.blockSize).shape(n)
			require.NoError(t, err)
			tc.want.links, tc.want.size, tc.want.xattrs = 1, tc.size, got.xattrs
			require.Equal(t, tc.want, got)
		})
	}
}

func TestChunks(t *testing.T) {
	const kib, mib = 1 << 10, 1 << 20
	at := func(places ...int64) (data []filetree.Range) {
		data = []filetree.Range{}
		for _, p := range places {
			data = append(data, filetree.Range{Offset: p, Length: 4 * kib})
		}
		return data
	}
	for _, tc := range []struct {
		name string
		size int64
		data []filetree.Range
		want chunking // none where there are no chunks
	}{
		{"no hole", mib, []filetree.Range{{Length: mib}}, chunking{}},
		{"small hole", 8*kib + 10, []filetree.Range{{Offset: 5 * kib, Length: 3*kib + 10}}, chunking{}},
		{"hole that pays nothing", 8 * kib, at(2 * kib), chunking{}},
		{"nothing but a hole", 10*mib + 1, at(), chunking{bits: 12, count: 1}},
		{"large hole", 100 << 30, at(), chunking{bits: 18, count: 100}},
		{"data at the start", mib, at(0), chunking{bits: 0, count: 256, blocks: 1}},
		{"a half", 2 * mib, []filetree.Range{{Length: mib}}, chunking{bits: 8, count: 2, blocks: 256}},
		{"short last chunk", 100*kib + 1, []filetree.Range{{Offset: 96 * kib, Length: 4*kib + 1}}, chunking{bits: 3, count: 4, blocks: 2}},
		{"a block in many", 100 << 30, at(99<<30 + 4*kib), chunking{bits: 7, count: 100 << 11, blocks: 128}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tr := filetree.New()
			n, err := tr.Add("file", filetree.Entry{Size: tc.size, ModTime: created, Data: tc.data})
			require.NoError(t, err)
			s, err := planOf(t, tr, 0).shape(n)
			require.NoError(t, err)
			require.Equal(t, tc.want, s.chunks)
			if tc.want.count > 0 {
				require.Equal(t, shape{layout: layoutChunks, links: 1, size: tc.size, extended: tc.size > 1<<32, blocks: tc.want.blocks, chunks: tc.want}, s)
			}
		})
	}
}

// A mapping leads where the table says.
func TestMappingAgreesWithTheTable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var data []filetree.Range
		pos := r.Int64N(20000)
		for range 1 + r.IntN(20) {
			d := filetree.Range{Offset: pos, Length: 1 + r.Int64N(30000)}
			data = append(data, d)
			pos = d.End() + r.Int64N(60000)
		}
		tr := filetree.New()
		n, err := tr.Add("file", filetree.Entry{Size: pos, Data: data, Open: func() (filetree.Content, error) { return nil, io.EOF }})
		require.NoError(t, err)
		s := shape{layout: layoutChunks, chunks: chunking{bits: uint8(r.IntN(4))}}
		p := &plan{blockSize: 512}
		unit := p.blockSize << s.chunks.bits
		s.chunks.count = ceilDiv(pos, unit)
		table := make([]byte, s.chunks.count*chunkEntryLen)
		p.putChunks(table, n, s.chunks, 1000)
		m := newMapping(&s, 1000, p.blockSize)
		used := map[int64]bool{}
		for _, d := range data {
			at := m.place(d)
			for off := d.Offset; off < d.End(); off = (off/unit + 1) * unit {
				i := off / unit
				used[i] = true
				block := int64(binary.LittleEndian.Uint32(table[i*chunkEntryLen:]))
				require.Equal(t, block*p.blockSize+off%unit, at+off-d.Offset)
			}
		}
		for i := range s.chunks.count {
			require.Equal(t, !used[i], binary.LittleEndian.Uint32(table[i*chunkEntryLen:]) == nullBlock, i)
		}
	}
}

func TestPacker(t *testing.T) {
	for _, blockSize := range []int{512, 4096} {
		r := rand.New(rand.NewPCG(1, 2))
		k := newPacker(blockSize)
		k.reserve(superOffset + superLen)
		taken, bytes := map[int]bool{}, 0
		for range 5000 {
			n := 32 + r.IntN(blockSize-32)
			if r.IntN(100) == 0 {
				n += 3 * blockSize
			}
			at := k.place(n)
			require.Zero(t, at%slotLen)
			require.GreaterOrEqual(t, at, superOffset+superLen)
			require.LessOrEqual(t, at+n, k.blocks*blockSize)
			if n <= blockSize {
				require.Equal(t, at/blockSize, (at+n-1)/blockSize, "%d bytes at %d", n, at)
			} else {
				require.Zero(t, at%blockSize)
			}
			for slot := at / slotLen; slot <= (at+n-1)/slotLen; slot++ {
				require.False(t, taken[slot])
				taken[slot] = true
			}
			bytes += n
		}
		require.Less(t, float64(k.blocks*blockSize), 1.08*float64(bytes))
	}
}

// The root's nid has 16 bits, whatever the tree.
func TestRootIsAtTheStart(t *testing.T) {
	tr := filetree.New()
	for i := range 40000 {
		_, err := tr.Add(fmt.Sprintf("%05d%0200d", i, i), filetree.Dir(0o755))
		require.NoError(t, err)
	}
	e := filetree.Dir(0o755)
	e.Xattrs = []filetree.Xattr{{Name: "user.long", Value: make([]byte, 65535)}}
	_, err := tr.Add(".", e)
	require.NoError(t, err)
	for _, blockSize := range []int{512, 4096} {
		p := planOf(t, tr, blockSize)
		require.Less(t, p.nid(tr.Root()), uint64(8192/slotLen))
		require.Greater(t, len(p.groups), 2)
	}
}

func TestPlanEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrClosedPipe)
	tr := filetree.New()
	for i := range 2 * checkEvery {
		_, err := tr.Add(fmt.Sprint(i), filetree.File(nil, 0o644))
		require.NoError(t, err)
	}
	_, err := (&FileSystem{Tree: tr}).Plan(ctx, volume.Geometry{})
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

package wire

import (
	"testing"

	"github.com/stretchr/testify/require"
)

type sample struct {
	a    uint8
	b    uint16
	c    uint32 // 24 bits
	d    uint32
	e    uint64 // 48 bits
	f    uint64
	g    struct{ Lo, Hi uint64 }
	raw  [2]byte
	text string
	nqn  string
	in   inner
}

type inner struct{ x, y uint16 }

func (i *inner) walk(w *Walker) {
	U16(w, 0, &i.x)
	U16(w, 2, &i.y)
}

func (s *sample) walk(w *Walker) {
	U8(w, 0, &s.a)
	w.Reserved(1, 1)
	U16(w, 2, &s.b)
	U24(w, 4, &s.c)
	U32(w, 7, &s.d)
	U48(w, 11, &s.e)
	U64(w, 17, &s.f)
	U128(w, 25, &s.g)
	w.Bytes(41, s.raw[:])
	w.Text(43, 4, &s.text)
	w.UTF8(47, 4, &s.nqn)
	w.Nested(51, 4, &s.in, s.in.walk)
}

func full() sample {
	s := sample{a: 1, b: 0x0302, c: 0x060504, d: 0x0a090807, e: 0x100f0e0d0c0b, f: 0x1817161514131211,
		raw: [2]byte{0x29, 0x2a}, text: "ab", nqn: "n", in: inner{0x3433, 0x3635}}
	s.g.Lo, s.g.Hi = 0x201f1e1d1c1b1a19, 0x2827262524232221
	return s
}

func TestLittleEndian(t *testing.T) {
	want := make([]byte, 55)
	want[0] = 1
	for i := 2; i < 43; i++ {
		want[i] = byte(i)
	}
	copy(want[43:], "ab  n\x00\x00\x00\x33\x34\x35\x36")

	s := full()
	got := make([]byte, 55)
	require.NoError(t, Encode(got, s.walk))
	require.Equal(t, want, got)
	var back sample
	require.NoError(t, Decode(want, back.walk))
	require.Equal(t, full(), back)
}

func TestRefusals(t *testing.T) {
	for _, s := range []sample{{c: 1 << 24}, {e: 1 << 48}, {text: "abcde"}, {nqn: "abcde"}, {nqn: "a\x00b"}} {
		require.Error(t, Encode(make([]byte, 55), s.walk))
	}
}

func TestFieldsListNestedStructuresOnce(t *testing.T) {
	var s sample
	fields := Fields(s.walk)
	require.Len(t, fields, 12)
	require.Equal(t, Field{51, 4, &s.in}, fields[11])
	require.Equal(t, Field{1, 1, nil}, fields[1])
}

// The entries of the queues: NVMe Base 2.0, 3.3.3.
func TestQueueEntries(t *testing.T) {
	sqe := SQE{Opcode: 1, Flags: 2, CID: 0x0403, NSID: 0x08070605, CDW2: 0x0c0b0a09, CDW3: 0x100f0e0d, MPTR: 0x1817161514131211}
	b := make([]byte, SQESize)
	for i := range sqe.DPTR {
		sqe.DPTR[i] = byte(25 + i)
	}
	for i := range sqe.CDW1015 {
		n := uint32(41 + 4*i)
		sqe.CDW1015[i] = n | (n+1)<<8 | (n+2)<<16 | (n+3)<<24
	}
	require.NoError(t, Encode(b, sqe.Walk))
	for i := range b {
		require.Equal(t, byte(i+1), b[i])
	}
	var back SQE
	require.NoError(t, Decode(b, back.Walk))
	require.Equal(t, sqe, back)

	cqe := CQE{Result: 0x0807060504030201, SQHD: 0x0a09, SQID: 0x0c0b, CID: 0x0e0d, Status: 0x100f}
	require.NoError(t, Encode(b[:CQESize], cqe.Walk))
	for i := range CQESize {
		require.Equal(t, byte(i+1), b[i])
	}
}

func FuzzWalk(f *testing.F) {
	f.Add(make([]byte, 55))
	f.Fuzz(func(t *testing.T, b []byte) {
		page := make([]byte, 55)
		copy(page, b)
		var s, back sample
		require.NoError(t, Decode(page, s.walk))
		once, twice := make([]byte, 55), make([]byte, 55)
		require.NoError(t, Encode(once, s.walk))
		require.NoError(t, Decode(once, back.walk))
		require.NoError(t, Encode(twice, back.walk))
		require.Equal(t, once, twice)
	})
}

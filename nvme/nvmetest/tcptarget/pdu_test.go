package tcptarget

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/internal/wire"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// TestLayout holds the structures against offsets and sizes that are those of the
// specifications: NVMe TCP Transport 1.0, Figures 15 to 24; NVMe Base 2.0, 6.
func TestLayout(t *testing.T) {
	common := [][2]int{{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 4}}
	with := func(more ...[2]int) [][2]int { return append(append([][2]int(nil), common...), more...) }
	data := with([2]int{8, 2}, [2]int{10, 2}, [2]int{12, 4}, [2]int{16, 4}, [2]int{20, 4})
	for _, tc := range []struct {
		name string
		walk func(*wire.Walker)
		want [][2]int
	}{
		{"common header", new(commonHeader).walk, common},
		{"ICReq, ICResp", new(initPDU).walk, with([2]int{8, 2}, [2]int{10, 1}, [2]int{11, 1}, [2]int{12, 4}, [2]int{16, 112})},
		{"termination", new(termPDU).walk, with([2]int{8, 2}, [2]int{10, 4}, [2]int{14, 10})},
		{"CapsuleCmd", new(commandPDU).walk, with([2]int{8, 64})},
		{"CapsuleResp", new(responsePDU).walk, with([2]int{8, 16})},
		{"H2CData, C2HData, R2T", new(dataPDU).walk, data},
		{"SGL descriptor", new(sgl).walk, [][2]int{{0, 8}, {8, 4}, {12, 3}, {15, 1}}},
		{"Connect", new(connectCommand).walk, [][2]int{{40, 2}, {42, 2}, {44, 2}, {46, 1}, {47, 1}, {48, 4}, {52, 12}}},
		{"Connect data", new(connectData).walk, [][2]int{{0, 16}, {16, 2}, {18, 238}, {256, 256}, {512, 256}, {768, 256}}},
		{"Disconnect", new(disconnectCommand).walk, [][2]int{{40, 2}, {42, 22}}},
		{"Property Get, Set", new(propertyCommand).walk, [][2]int{{40, 1}, {41, 3}, {44, 4}, {48, 8}, {56, 8}}},
	} {
		var got [][2]int
		for _, f := range wire.Fields(tc.walk) {
			got = append(got, [2]int{f.Offset, f.Size})
		}
		require.Equal(t, tc.want, got, tc.name)
	}
}

// TestDigest is the example of RFC 3720, B.4: 32 bytes of zeros.
func TestDigest(t *testing.T) {
	require.Equal(t, uint32(0x8a9136aa), digest(make([]byte, 32)))
}

func FuzzPDUHeader(f *testing.F) {
	f.Add(make([]byte, 128), false, false)
	f.Add([]byte{4, 0, 72, 0, 72, 0, 0, 0}, false, false)
	f.Add([]byte{6, 7, 24, 28, 36, 0, 0, 0}, true, true)
	f.Fuzz(func(t *testing.T, b []byte, header, data bool) {
		if len(b) < commonSize {
			return
		}
		fr := framing{headerDigest: header, dataDigest: data}
		h, err := fr.decodeCommon(b, 8192)
		if err != nil {
			require.True(t, errors.As(err, new(*fatalError)), "%v", err)
			return
		}
		n := fr.dataSize(&h)
		require.GreaterOrEqual(t, n, 0)
		require.LessOrEqual(t, n, 8192)
		again := make([]byte, commonSize)
		require.NoError(t, wire.Encode(again, h.walk))
		require.Equal(t, b[:commonSize], again)
	})
}

func FuzzStructures(f *testing.F) {
	f.Add(make([]byte, connectDataSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < connectDataSize {
			return
		}
		for _, s := range []struct {
			size int
			a, b func(*wire.Walker)
		}{
			fresh(icSize, (*initPDU).walk), fresh(termSize, (*termPDU).walk), fresh(commandSize, (*commandPDU).walk),
			fresh(responseSize, (*responsePDU).walk), fresh(dataHeaderSize, (*dataPDU).walk), fresh(16, (*sgl).walk),
			fresh(wire.SQESize, (*connectCommand).walk), fresh(wire.SQESize, (*propertyCommand).walk),
			fresh(wire.SQESize, (*disconnectCommand).walk), fresh(connectDataSize, (*connectData).walk),
		} {
			require.NoError(t, wire.Decode(b[:s.size], s.a))
			once, twice := make([]byte, s.size), make([]byte, s.size)
			require.NoError(t, wire.Encode(once, s.a))
			require.NoError(t, wire.Decode(once, s.b))
			require.NoError(t, wire.Encode(twice, s.b))
			require.Equal(t, once, twice)
		}
	})
}

// fresh returns the walks of two values of a structure.
func fresh[T any](size int, walk func(*T, *wire.Walker)) (s struct {
	size int
	a, b func(*wire.Walker)
}) {
	s.size = size
	x, y := new(T), new(T)
	s.a, s.b = func(w *wire.Walker) { walk(x, w) }, func(w *wire.Walker) { walk(y, w) }
	return s
}

// How far a connection has got before FuzzConnection sends its bytes.
const (
	fuzzNew = iota
	fuzzAdmin
	fuzzIO
)

// FuzzConnection sends bytes to a connection that is new, or has a queue that is
// connected and enabled: there is no panic, it ends, and the next one is served.
func FuzzConnection(f *testing.F) {
	h := &host{t: f, framing: framing{hostAlignment: 4}}
	capsule := func(cmd nvme.Command, length uint32) []byte {
		p := commandPDU{commonHeader: commonHeader{Type: typeCapsuleCmd, HeaderSize: commandSize}, Entry: h.entry(cmd)}
		require.NoError(f, wire.Encode(p.Entry.DPTR[:], (&sgl{Type: sglTransport, Length: length}).walk))
		return h.encode(commandSize, p.walk, nil)
	}
	write := capsule(nvme.Command{Opcode: nvme.IOWrite, NSID: 1}, 512)
	data := dataPDU{commonHeader: commonHeader{Type: typeH2CData, Flags: flagLast, HeaderSize: dataHeaderSize}, CommandID: h.cid, Tag: h.cid, Length: 512}
	disconnect := capsule(nvme.Command{Opcode: nvme.AdminFabrics, NSID: fabricsDisconnect}, 0)
	f.Add(make([]byte, icSize), uint8(fuzzNew))
	f.Add(capsule(nvme.Command{Opcode: nvme.AdminIdentify, CDW10: 1}, 4096), uint8(fuzzAdmin))
	f.Add(h.encode(dataHeaderSize, data.walk, make([]byte, 512)), uint8(fuzzAdmin))
	f.Add(slices.Concat(write, h.encode(dataHeaderSize, data.walk, make([]byte, 512))), uint8(fuzzIO))
	f.Add(slices.Concat(write, disconnect, h.encode(dataHeaderSize, data.walk, make([]byte, 512))), uint8(fuzzIO))
	drive, err := nvmetest.New(nvmetest.Enterprise())
	require.NoError(f, err)
	target, err := Listen(f.Context(), drive, Options{})
	require.NoError(f, err)
	f.Cleanup(func() { _ = target.Close() })
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		var h *host
		switch kind % 3 {
		case fuzzNew:
			h = dial(t, target)
		case fuzzAdmin:
			h = admin(t, target, 0)
		case fuzzIO:
			first := dial(t, target).open(0, 0)
			done := first.connect(connectCommand{Size: 31}, testHost(target.NQN()))
			require.Equal(t, nvme.StatusSuccess, done.Status)
			require.Zero(t, first.property(true, propertyCommand{Offset: propertyCC, Value: ccOn}))
			h = ioQueue(t, target, 1, uint16(done.Result), 0)
			defer first.conn.Close()
		}
		_, _ = h.conn.Write(b) // it may be closed at any time
		_ = h.conn.(*net.TCPConn).CloseWrite()
		require.NoError(t, h.conn.SetReadDeadline(time.Now().Add(hostTimeout)))
		_, err := io.Copy(io.Discard, h.conn)
		timeout := net.Error(nil)
		require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the connection stays open")
	})
}

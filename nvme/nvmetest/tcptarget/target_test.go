package tcptarget

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/internal/wire"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func TestDataComesBack(t *testing.T) {
	for _, tc := range []struct {
		name    string
		digests uint8
		h2c     int
	}{{"plain", 0, 0}, {"header digest", 1, 4096}, {"data digest", 2, 8192}, {"both", 3, 4096}} {
		t.Run(tc.name, func(t *testing.T) {
			target, drive := serve(t, Options{MaxH2CData: tc.h2c}, nvmetest.Consumer())
			admin(t, target, tc.digests)
			q := ioQueue(t, target, 1, 1, tc.digests)
			for _, size := range []int{512, 8192, 40960} {
				want := pattern(size)
				write := nvme.Command{Opcode: nvme.IOWrite, NSID: 1, CDW10: 8, CDW12: uint32(size/512 - 1), Data: bytes.Clone(want)}
				if size <= defaultInCapsule {
					q.post(q.entry(write), want, 0)
					require.Zero(t, q.finish(nil).Status)
				} else {
					done, _ := q.do(write)
					require.Equal(t, nvme.Completion{}, done)
				}
				got := make([]byte, size)
				_, err := drive.Namespace(1).ReadAt(got, 4096)
				require.NoError(t, err)
				require.Equal(t, want, got)
				clear(got)
				done, _ := q.do(nvme.Command{Opcode: nvme.IORead, NSID: 1, CDW10: 8, CDW12: uint32(size/512 - 1), Data: got})
				require.Equal(t, nvme.Completion{}, done)
				require.Equal(t, want, got)
			}
		})
	}
}

func TestIdentifyIsThatOfFabrics(t *testing.T) {
	target, drive := serve(t, Options{InCapsule: 4096, NQN: "nqn.2014-08.test:subsystem"}, nvmetest.Consumer())
	h := admin(t, target, 0)
	page := make([]byte, 4096)
	done, _ := h.do(nvme.Command{Opcode: nvme.AdminIdentify, CDW10: 1, Data: page})
	require.Equal(t, nvme.Completion{}, done)
	var got nvme.IdentifyController
	require.NoError(t, nvme.Decode(page, &got))
	want := drive.Profile().Controller
	want.ControllerID, want.FirmwareRevision = 1, "1.0.0"
	want.KeepAliveGranularity, want.MaxCommands, want.SGLSupport = 10, 128, 0x300001
	want.SubsystemNQN, want.IOCapsuleCommand, want.IOCapsuleResponse, want.MaxSGLBlocks = "nqn.2014-08.test:subsystem", 260, 1, 1
	want.FabricsCommands = 1
	require.Equal(t, want, got)
}

func TestConnectRefuses(t *testing.T) {
	target, _ := serve(t, Options{HostNQN: "nqn.2014-08.test:host"}, nvmetest.Consumer())
	admin(t, target, 0)
	parameter := func(offset uint64) nvme.Completion {
		return nvme.Completion{Result: offset, Status: statusConnectParameters.WithDNR()}
	}
	for _, tc := range []struct {
		name   string
		change func(c *connectCommand, d *connectData)
		want   nvme.Completion
	}{
		{"record format", func(c *connectCommand, _ *connectData) { c.Format = 1 }, nvme.Completion{Status: statusConnectFormat.WithDNR()}},
		{"queue size 0", func(c *connectCommand, _ *connectData) { c.Size = 0 }, parameter(44)},
		{"queue size above MQES", func(c *connectCommand, _ *connectData) { c.Size = 128 }, parameter(44)},
		{"attributes", func(c *connectCommand, _ *connectData) { c.Attributes = 0x10 }, parameter(46)},
		{"other subsystem", func(_ *connectCommand, d *connectData) { d.SubsystemNQN += "x" }, parameter(1<<16 | 256)},
		{"no host NQN", func(_ *connectCommand, d *connectData) { d.HostNQN = "" }, parameter(1<<16 | 512)},
		{"no host identifier", func(_ *connectCommand, d *connectData) { d.HostID = [16]byte{} }, parameter(1 << 16)},
		{"another host", func(_ *connectCommand, d *connectData) { d.HostNQN += "x" }, nvme.Completion{Status: statusConnectHost.WithDNR()}},
		{"static controller", func(_ *connectCommand, d *connectData) { d.ControllerID = 1 }, parameter(1<<16 | 16)},
		{"I/O queue of no controller", func(c *connectCommand, _ *connectData) { c.QueueID = 1 }, parameter(1<<16 | 16)},
		{"I/O queue of another host", func(c *connectCommand, d *connectData) { c.QueueID, d.ControllerID, d.HostID = 1, 1, [16]byte{2} }, nvme.Completion{Status: statusConnectHost.WithDNR()}},
		{"I/O queue too many", func(c *connectCommand, d *connectData) { c.QueueID, d.ControllerID = 9, 1 }, nvme.Completion{Status: nvme.StatusInvalidQueueID.WithDNR()}},
		{"I/O queue of discovery", func(c *connectCommand, d *connectData) { c.QueueID, d.SubsystemNQN = 1, discoveryNQN }, parameter(42)},
		{"keep alive of I/O queue", func(c *connectCommand, d *connectData) { c.QueueID, c.KeepAlive = 1, 1 }, parameter(48)},
		{"all controllers are busy", func(*connectCommand, *connectData) {}, nvme.Completion{Status: statusControllerBusy}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, d := connectCommand{Size: 31}, testHost(target.NQN())
			tc.change(&c, &d)
			require.Equal(t, tc.want, dial(t, target).open(0, 0).connect(c, d))
		})
	}
}

func TestFatalErrors(t *testing.T) {
	capsule := commandPDU{commonHeader: commonHeader{Type: typeCapsuleCmd, HeaderSize: commandSize}}
	icreq := initPDU{commonHeader: commonHeader{Type: typeICReq, HeaderSize: icSize, Size: icSize}}
	// change alters a capsule with 512 bytes of data in it.
	change := func(at int, v byte) func(h *host) []byte {
		return func(h *host) []byte {
			b := h.open(0, 0).encode(commandSize, capsule.walk, make([]byte, 512))
			b[at] = v
			return b
		}
	}
	for _, tc := range []struct {
		name   string
		send   func(h *host) []byte
		status fatalStatus
		info   uint32
	}{
		{"type", change(0, 9), fesHeaderField, 0},
		{"type of the target", change(0, 5), fesHeaderField, 0},
		{"flags", change(1, 1), fesHeaderField, 1},
		{"HLEN", change(2, 71), fesHeaderField, 2},
		{"PDO", change(3, 76), fesHeaderField, 3},
		{"PLEN", change(7, 0x80), fesHeaderField, 4},
		{"capsule before ICReq", func(h *host) []byte { return h.encode(commandSize, capsule.walk, nil) }, fesSequence, 0},
		{"second ICReq", func(h *host) []byte { return h.open(0, 0).encode(icSize, icreq.walk, nil) }, fesSequence, 0},
		{"PFV", func(h *host) []byte {
			p := icreq
			p.Format = 1
			return h.encode(icSize, p.walk, nil)
		}, fesUnsupported, 8},
		{"HPDA", func(h *host) []byte {
			p := icreq
			p.Alignment = 32
			return h.encode(icSize, p.walk, nil)
		}, fesHeaderField, 10},
		{"DGST", func(h *host) []byte {
			p := icreq
			p.Digests = 4
			return h.encode(icSize, p.walk, nil)
		}, fesHeaderField, 11},
		{"header digest", func(h *host) []byte {
			b := h.open(1, 0).encode(commandSize, capsule.walk, nil)
			binary.LittleEndian.PutUint32(b[commandSize:], 0x01020304)
			return b
		}, fesHeaderDigest, 0x01020304},
		{"data for no command", func(h *host) []byte {
			p := dataPDU{commonHeader: commonHeader{Type: typeH2CData, HeaderSize: dataHeaderSize}, Length: 4}
			return h.open(0, 0).encode(dataHeaderSize, p.walk, make([]byte, 4))
		}, fesHeaderField, 8},
	} {
		t.Run(tc.name, func(t *testing.T) {
			target, _ := serve(t, Options{}, nvmetest.Consumer())
			h := dial(t, target)
			_, err := h.conn.Write(tc.send(h))
			require.NoError(t, err)
			status, info := h.terminated()
			require.Equal(t, tc.status, status)
			require.Equal(t, tc.info, info)
		})
	}
}

func TestHostDataMustFitItsR2T(t *testing.T) {
	good := dataPDU{commonHeader: commonHeader{Type: typeH2CData, HeaderSize: dataHeaderSize}, Length: 4096}
	for _, tc := range []struct {
		name   string
		change func(p *dataPDU)
		status fatalStatus
		info   uint32
	}{
		{"tag", func(p *dataPDU) { p.Tag++ }, fesHeaderField, 10},
		{"length", func(p *dataPDU) { p.Length++ }, fesHeaderField, 16},
		{"offset", func(p *dataPDU) { p.Offset = 4 }, fesOutOfRange, 12},
		{"last too early", func(p *dataPDU) { p.Flags = flagLast }, fesHeaderField, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			target, drive := serve(t, Options{}, nvmetest.Consumer())
			admin(t, target, 0)
			q := ioQueue(t, target, 1, 1, 0)
			q.post(q.entry(nvme.Command{Opcode: nvme.IOWrite, NSID: 1, CDW12: 15}), nil, 8192)
			require.Equal(t, typeR2T, q.read().Type)
			p := good
			p.CommandID, p.Tag = q.cid, q.cid
			tc.change(&p)
			q.write(dataHeaderSize, p.walk, make([]byte, 4096))
			status, info := q.terminated()
			require.Equal(t, []uint32{uint32(tc.status), tc.info}, []uint32{uint32(status), info})
			journal, _ := drive.Journal()
			for _, e := range journal {
				require.NotEqual(t, nvme.IOWrite, e.Command.Opcode, "the write went through: %v", e)
			}
		})
	}
}

func TestDamagedDataIsTransient(t *testing.T) {
	target, _ := serve(t, Options{}, nvmetest.Consumer())
	admin(t, target, 2)
	q := ioQueue(t, target, 1, 1, 2)
	e := q.entry(nvme.Command{Opcode: nvme.IOWrite, NSID: 1})
	require.NoError(t, wire.Encode(e.DPTR[:], (&sgl{Type: sglOffset, Length: 512}).walk))
	p := commandPDU{commonHeader: commonHeader{Type: typeCapsuleCmd, HeaderSize: commandSize}, Entry: e}
	b := q.encode(commandSize, p.walk, pattern(512))
	b[len(b)-1] ^= 1
	_, err := q.conn.Write(b)
	require.NoError(t, err)
	require.Equal(t, nvme.StatusTransientTransport, nvme.Status(q.finish(nil).Status>>1))
}

func TestFrameStatuses(t *testing.T) {
	target, _ := serve(t, Options{}, nvmetest.Consumer())
	h := admin(t, target, 0)
	for _, tc := range []struct {
		name   string
		change func(e *wire.SQE, d *sgl)
		want   nvme.Status
	}{
		{"fused", func(e *wire.SQE, _ *sgl) { e.Flags |= 1 }, invalidField},
		{"PRPs", func(e *wire.SQE, _ *sgl) { e.Flags = 0 }, invalidField},
		{"metadata pointer", func(e *wire.SQE, _ *sgl) { e.MPTR = 4096 }, invalidField},
		{"SGL type", func(_ *wire.SQE, d *sgl) { d.Type = 0x40 }, nvme.StatusInvalidSGLType.WithDNR()},
		{"address", func(_ *wire.SQE, d *sgl) { d.Address = 1 }, invalidField},
		{"in capsule, and not there", func(_ *wire.SQE, d *sgl) { d.Type = sglOffset }, invalidLength},
		{"offset in capsule", func(_ *wire.SQE, d *sgl) { d.Type, d.Address = sglOffset, 4 }, nvme.StatusInvalidSGLOffset.WithDNR()},
		{"no dwords", func(_ *wire.SQE, d *sgl) { d.Length = 4095 }, invalidLength},
		{"above MDTS", func(_ *wire.SQE, d *sgl) { d.Length = 4096<<7 + 4 }, invalidField},
		{"4 GiB", func(_ *wire.SQE, d *sgl) { d.Length = 1<<32 - 4 }, invalidField},
		{"more than the command has", func(_ *wire.SQE, d *sgl) { d.Length = 8192 }, invalidLength},
		{"less than the command has", func(_ *wire.SQE, d *sgl) { d.Length = 512 }, invalidLength},
		{"disconnect of the admin queue", func(e *wire.SQE, d *sgl) {
			e.Opcode, e.NSID, e.CDW1015[0], d.Length = opcodeFabrics, fabricsDisconnect, 0, 0
		}, statusQueueType},
		{"disconnect of another format", func(e *wire.SQE, d *sgl) { e.Opcode, e.NSID, d.Length = opcodeFabrics, fabricsDisconnect, 0 }, statusConnectFormat},
		{"authentication", func(e *wire.SQE, d *sgl) { e.Opcode, e.NSID, d.Length = opcodeFabrics, 5, 0 }, invalidField},
		{"connect again", func(e *wire.SQE, d *sgl) { e.Opcode, e.NSID, d.Length = opcodeFabrics, fabricsConnect, 0 }, sequenceError},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, d := h.entry(nvme.Command{Opcode: nvme.AdminIdentify, CDW10: 1}), sgl{Type: sglTransport, Length: 4096}
			tc.change(&e, &d)
			require.NoError(t, wire.Encode(e.DPTR[:], d.walk))
			h.write(commandSize, (&commandPDU{commonHeader: commonHeader{Type: typeCapsuleCmd, HeaderSize: commandSize}, Entry: e}).walk, nil)
			got := nvme.Status(h.finish(nil).Status >> 1)
			require.Equalf(t, tc.want.Code(), got.Code(), "%#x", got)
			require.True(t, got.DNR())
		})
	}
}

func TestProperties(t *testing.T) {
	target, drive := serve(t, Options{}, nvmetest.Enterprise(), func(p *nvmetest.Profile) { p.Stepped = true })
	h := dial(t, target).open(0, 0)
	require.Equal(t, sequenceError, h.property(false, propertyCommand{Offset: propertyCSTS}).Status, "before Connect")
	require.Equal(t, nvme.Completion{Result: 1}, h.connect(connectCommand{Size: 31}, testHost(target.NQN())))

	get := func(offset uint32, size uint8) nvme.Completion {
		return h.property(false, propertyCommand{Offset: offset, Attributes: size})
	}
	set := func(offset uint32, v uint64) nvme.Status {
		return h.property(true, propertyCommand{Offset: offset, Value: v}).Status
	}
	require.Equal(t, nvme.Completion{Result: 1<<37 | 1<<36 | 60<<24 | 1<<16 | 127}, get(propertyCAP, 1))
	require.Equal(t, nvme.Completion{Result: uint64(nvme.Version2_0)}, get(propertyVS, 0))
	require.Equal(t, invalidField, get(propertyCAP, 0).Status)
	require.Equal(t, invalidField, get(propertyVS, 1).Status)
	require.Equal(t, invalidField, get(0x38, 0).Status)
	require.Equal(t, invalidField, set(propertyCSTS, 1))
	for _, cc := range []uint64{ccEnable, ccOn | 1<<7, ccOn | 1<<4, ccOn | ccShutdown, ccOn | 1<<32} {
		require.Equal(t, invalidField, set(propertyCC, cc), "CC %#x", cc)
	}
	done, _ := h.do(nvme.Command{Opcode: nvme.AdminIdentify, CDW10: 1, Data: make([]byte, 4096)})
	require.Equal(t, sequenceError, done.Status, "not enabled")

	require.Equal(t, nvme.Completion{}, get(propertyCSTS, 0))
	require.Equal(t, nvme.StatusSuccess, set(propertyCC, ccOn))
	require.Equal(t, nvme.Completion{Result: ccOn}, get(propertyCC, 0))
	require.Equal(t, nvme.Completion{Result: cstsReady}, get(propertyCSTS, 0))
	require.Equal(t, nvme.StatusSuccess, set(propertyCC, ccEntrySizes))
	require.Equal(t, nvme.Completion{}, get(propertyCSTS, 0))
	require.Equal(t, nvme.StatusSuccess, set(propertyCC, ccOn))
	require.Equal(t, nvme.Completion{}, get(propertyCSTS, 0), "a reset takes its time")
	drive.Advance(time.Second)
	require.Equal(t, nvme.Completion{Result: cstsReady}, get(propertyCSTS, 0))
	require.Equal(t, nvme.StatusSuccess, set(propertyCC, ccOn|1<<14))
	require.Equal(t, nvme.Completion{Result: cstsReady | cstsShutdown}, get(propertyCSTS, 0))

	require.Equal(t, nvme.StatusSuccess, set(propertyNSSR, 1), "no reset")
	require.Equal(t, nvme.StatusSuccess, set(propertyNSSR, subsystemResetKey))
	_, err := h.conn.Read(make([]byte, 1))
	require.Error(t, err)
}

func TestStateOutlivesConnections(t *testing.T) {
	target, drive := serve(t, Options{}, nvmetest.Consumer())
	first := admin(t, target, 0)
	first.post(first.entry(nvme.Command{Opcode: nvme.AdminAsyncEvent}), nil, 0)
	done, _ := first.do(nvme.Command{Opcode: nvme.AdminSetFeatures, CDW10: 2 | 1<<31, CDW11: 1})
	require.Equal(t, nvme.Completion{}, done)
	target.Drop()
	_, err := first.conn.Read(make([]byte, 1))
	require.Error(t, err)

	second := admin(t, target, 0)
	done, _ = second.do(nvme.Command{Opcode: nvme.AdminGetFeatures, CDW10: 2})
	require.Equal(t, nvme.Completion{Result: 1}, done)
	resets := 0
	journal, _ := drive.Journal()
	for _, e := range journal {
		if e.Happened == "controller reset" {
			resets++
		}
	}
	require.Equal(t, 1, resets)
}

// TestHostIsThatOfConnect: the Host Identifier is that of Connect, which the host
// cannot change, and lasts through resets.
func TestHostIsThatOfConnect(t *testing.T) {
	target, _ := serve(t, Options{}, nvmetest.Enterprise())
	h := admin(t, target, 0)
	want := testHost(target.NQN()).HostID
	for range 2 {
		id := make([]byte, 16)
		done, _ := h.do(nvme.Command{Opcode: nvme.AdminGetFeatures, CDW10: uint32(nvme.FeatureHostID), CDW11: 1, Data: id})
		require.Equal(t, nvme.Completion{Result: 1}, done)
		require.Equal(t, want[:], id)
		id[0]++
		done, _ = h.do(nvme.Command{Opcode: nvme.AdminSetFeatures, CDW10: uint32(nvme.FeatureHostID), CDW11: 1, Data: id})
		require.Equal(t, sequenceError.Code(), done.Status.Code())
		require.Equal(t, nvme.Completion{}, h.property(true, propertyCommand{Offset: propertyCC, Value: ccEntrySizes}))
		require.Equal(t, nvme.Completion{}, h.property(true, propertyCommand{Offset: propertyCC, Value: ccOn}))
	}
}

// TestConnecting: a host is done with a connection when it looks for namespaces.
func TestConnecting(t *testing.T) {
	target, _ := serve(t, Options{}, nvmetest.Consumer())
	_, yes := target.connecting(1)
	require.False(t, yes, "no host")
	h := admin(t, target, 0)
	changed, yes := target.connecting(1)
	require.True(t, yes)
	done, _ := h.do(nvme.Command{Opcode: nvme.AdminIdentify, CDW10: uint32(nvme.CNSActiveNamespaces), Data: make([]byte, 4096)})
	require.Equal(t, nvme.Completion{}, done)
	<-changed
	_, yes = target.connecting(1)
	require.False(t, yes)
}

func TestKeepAliveEndsTheAssociation(t *testing.T) {
	target, _ := serve(t, Options{}, nvmetest.Enterprise())
	h := dial(t, target).open(0, 0)
	require.Equal(t, nvme.StatusSuccess, h.connect(connectCommand{Size: 31, KeepAlive: 1}, testHost(target.NQN())).Status)
	_, err := h.conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func TestEventsAreDelivered(t *testing.T) {
	target, drive := serve(t, Options{}, nvmetest.Consumer())
	h := admin(t, target, 0)
	done, _ := h.do(nvme.Command{Opcode: nvme.AdminSetFeatures, CDW10: uint32(nvme.FeatureAsyncEvents), CDW11: 0xff})
	require.Equal(t, nvme.Completion{}, done)
	h.post(h.entry(nvme.Command{Opcode: nvme.AdminAsyncEvent}), nil, 0)
	drive.SetTemperature(400)
	require.Equal(t, uint64(nvmetest.EventTemperature), h.finish(nil).Result)
}

func TestHangAndRelease(t *testing.T) {
	target, drive := serve(t, Options{}, nvmetest.Consumer())
	admin(t, target, 0)
	q := ioQueue(t, target, 1, 1, 0)
	hang := drive.Inject(nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, Hang: true, Count: 1})
	q.post(q.entry(nvme.Command{Opcode: nvme.IORead, NSID: 1}), nil, 512)
	require.Eventually(t, func() bool { return hang.Hanging() == 1 }, hostTimeout, time.Millisecond)
	done, _ := q.do(nvme.Command{Opcode: nvme.IORead, NSID: 1, Data: make([]byte, 512)})
	require.Equal(t, nvme.Completion{}, done, "others go on")
	hang.Release()
	e := q.finish(make([]byte, 512))
	require.Equal(t, wire.CQE{CID: q.cid - 1, SQHD: 3}, e)
}

func TestDriveThatVanishesDropsItsHost(t *testing.T) {
	target, drive := serve(t, Options{}, nvmetest.Consumer())
	h := admin(t, target, 0)
	drive.Inject(nvmetest.Fault{Any: true, VanishFirst: true})
	h.post(h.entry(nvme.Command{Opcode: nvme.AdminIdentify, CDW10: 1}), nil, 4096)
	_, err := h.conn.Read(make([]byte, 1))
	require.Error(t, err)
	again := dial(t, target).open(0, 0)
	require.Equal(t, statusControllerBusy, again.connect(connectCommand{Size: 31}, testHost(target.NQN())).Status)
	drive.Return()
	admin(t, target, 0)
}

func TestDiscovery(t *testing.T) {
	target, _ := serve(t, Options{}, nvmetest.Consumer())
	admin(t, target, 0) // the only controller is busy; discovery has its own
	h := dial(t, target).open(0, 0)
	require.Equal(t, nvme.StatusSuccess, h.connect(connectCommand{Size: 31}, testHost(discoveryNQN)).Status)
	require.Equal(t, nvme.Completion{}, h.property(true, propertyCommand{Offset: propertyCC, Value: ccOn}))
	log := make([]byte, 2048)
	done, _ := h.do(nvme.Command{Opcode: nvme.AdminGetLogPage, CDW10: 511<<16 | 0x70, Data: log})
	require.Equal(t, nvme.Completion{}, done)
	require.Equal(t, uint64(1), binary.LittleEndian.Uint64(log[8:]))
	entry := log[1024:]
	require.Equal(t, []byte{3, 1, 2}, entry[:3])
	require.Equal(t, "127.0.0.1", string(bytes.TrimRight(entry[512:768], " ")))
	require.Equal(t, target.NQN(), string(bytes.TrimRight(entry[256:512], "\x00")))
	part := make([]byte, 1024)
	done, _ = h.do(nvme.Command{Opcode: nvme.AdminGetLogPage, CDW10: 255<<16 | 0x70, CDW12: 1024, Data: part})
	require.Equal(t, nvme.Completion{}, done)
	require.Equal(t, entry, part)
	page := make([]byte, 4096)
	done, _ = h.do(nvme.Command{Opcode: nvme.AdminIdentify, CDW10: 1, Data: page})
	require.Equal(t, nvme.Completion{}, done)
	var id nvme.IdentifyController
	require.NoError(t, nvme.Decode(page, &id))
	require.Equal(t, []any{nvme.DiscoveryController, discoveryNQN, uint16(1)}, []any{id.Type, id.SubsystemNQN, id.ControllerID})
}

func TestDiscoveryOfIPv6(t *testing.T) {
	entry := discoveryLog(1, DefaultNQN, &net.TCPAddr{IP: net.IPv6loopback, Port: 4420})[discoveryHeader:]
	require.Equal(t, []byte{3, 2, 2}, entry[:3])
	require.Equal(t, "4420", string(bytes.TrimRight(entry[32:64], " ")))
	require.Equal(t, "::1", string(bytes.TrimRight(entry[512:768], " ")))
}

func TestClockFollows(t *testing.T) {
	_, drive := serve(t, Options{Speed: 10_000}, nvmetest.Consumer())
	require.Eventually(t, func() bool { return drive.Now() > time.Minute }, hostTimeout, time.Millisecond)
}

package tcptarget

import (
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/internal/wire"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// TestFaultsOfAnswers reads what a target sends of the answer to a Read of 512
// bytes, with both digests: a C2HData PDU of 24 + 4 + 512 + 4 bytes (the data is
// aligned to 16: 4 more) and a CapsuleResp of 24 + 4.
func TestFaultsOfAnswers(t *testing.T) {
	const dataPDUSize, answerSize = 32 + 512 + 4, 24 + 4
	for name, tc := range map[string]struct {
		fault      Fault
		want       int // bytes
		closes     bool
		headerIsOK bool
		dataIsOK   bool
	}{
		"none":               {Fault{}, dataPDUSize + answerSize, false, true, true},
		"header digest":      {Fault{CorruptHeader: true}, dataPDUSize + answerSize, false, false, true},
		"data digest":        {Fault{CorruptData: true}, dataPDUSize + answerSize, false, true, false},
		"delay":              {Fault{Delay: time.Millisecond}, dataPDUSize + answerSize, false, true, true},
		"drop before answer": {Fault{Drop: DropBeforeAnswer}, 0, true, false, false},
		"drop in transfer":   {Fault{Drop: DropInTransfer}, dataPDUSize / 2, true, false, false},
		"drop in answer":     {Fault{Drop: DropInAnswer}, dataPDUSize + answerSize/2, true, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			target, _ := serve(t, Options{}, nvmetest.Consumer())
			admin(t, target, 3)
			q := ioQueue(t, target, 1, 1, 3)
			tc.fault.Queue, tc.fault.Opcode = nvme.IOQueue, nvme.IORead
			injected := target.Inject(tc.fault)
			q.post(q.entry(nvme.Command{Opcode: nvme.IORead, NSID: 1}), nil, 512)
			b := make([]byte, tc.want)
			_, err := io.ReadFull(q.conn, b)
			require.NoError(t, err)
			if tc.closes {
				_, err = q.conn.Read(make([]byte, 1))
				require.Error(t, err)
			}
			require.Equal(t, 1, injected.Struck())
			le := binary.LittleEndian
			if len(b) > dataPDUSize {
				require.Equal(t, tc.dataIsOK, digest(b[32:dataPDUSize-4]) == le.Uint32(b[dataPDUSize-4:]))
			}
			if answer := b[min(dataPDUSize, len(b)):]; len(answer) == answerSize {
				require.Equal(t, tc.headerIsOK, digest(answer[:24]) == le.Uint32(answer[24:]))
			}
		})
	}
}

// TestFaultInAHostsTransfer loses a Write's data on its way: it is not carried out.
func TestFaultInAHostsTransfer(t *testing.T) {
	target, drive := serve(t, Options{}, nvmetest.Consumer())
	admin(t, target, 0)
	q := ioQueue(t, target, 1, 1, 0)
	fault := target.Inject(Fault{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, Drop: DropInTransfer, Count: 1, After: 1})
	data := pattern(512)
	done, _ := q.do(nvme.Command{Opcode: nvme.IOWrite, NSID: 1, Data: data})
	require.Equal(t, nvme.Completion{}, done, "the first goes by")
	q.post(q.entry(nvme.Command{Opcode: nvme.IOWrite, NSID: 1, CDW10: 1}), nil, 512)
	p := q.read()
	require.Equal(t, typeR2T, p.Type)
	var r dataPDU
	require.NoError(t, wire.Decode(p.header, r.walk))
	q.supply(r, data)
	_, err := q.conn.Read(make([]byte, 1))
	require.Error(t, err)
	got := make([]byte, 1024)
	_, err = drive.Namespace(1).ReadAt(got, 0)
	require.NoError(t, err)
	require.Equal(t, append(data, make([]byte, 512)...), got)

	again := ioQueue(t, target, 2, 1, 0)
	done, _ = again.do(nvme.Command{Opcode: nvme.IOWrite, NSID: 1, Data: data})
	require.Equal(t, nvme.Completion{}, done, "it strikes once")
	require.Equal(t, 1, fault.Struck())
	fault.Remove()
}

func TestDisconnect(t *testing.T) {
	target, _ := serve(t, Options{}, nvmetest.Consumer())
	h := admin(t, target, 0)
	q := ioQueue(t, target, 1, 1, 0)
	e := q.entry(nvme.Command{Opcode: nvme.AdminFabrics, NSID: fabricsDisconnect})
	q.post(e, nil, 0)
	require.Zero(t, q.finish(nil).Status)
	done, _ := q.do(nvme.Command{Opcode: nvme.IORead, NSID: 1, Data: make([]byte, 512)})
	require.Equal(t, sequenceError, done.Status, "of a queue that is deleted")
	again := ioQueue(t, target, 1, 1, 0)
	done, _ = again.do(nvme.Command{Opcode: nvme.IORead, NSID: 1, Data: make([]byte, 512)})
	require.Equal(t, nvme.Completion{}, done)
	require.Equal(t, nvme.Completion{Result: cstsReady}, h.property(false, propertyCommand{Offset: propertyCSTS}))
}

// TestDisconnectUnderATransfer sends a Write's data after the queue was deleted.
func TestDisconnectUnderATransfer(t *testing.T) {
	target, drive := serve(t, Options{}, nvmetest.Consumer())
	admin(t, target, 0)
	q := ioQueue(t, target, 1, 1, 0)
	q.post(q.entry(nvme.Command{Opcode: nvme.IOWrite, NSID: 1}), nil, 512)
	var r dataPDU
	require.NoError(t, wire.Decode(q.read().header, r.walk))
	q.post(q.entry(nvme.Command{Opcode: nvme.AdminFabrics, NSID: fabricsDisconnect}), nil, 0)
	require.Zero(t, q.finish(nil).Status)
	q.supply(r, pattern(512))
	require.Equal(t, wire.CQE{CID: r.CommandID, SQHD: 3, Status: uint16(sequenceError) << 1}, q.finish(nil))
	got := make([]byte, 512)
	_, err := drive.Namespace(1).ReadAt(got, 0)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 512), got, "it was not carried out")
}

// TestResetOfTheDriveReachesTheHost: a host that has not asked for it loses its
// association.
func TestResetOfTheDriveReachesTheHost(t *testing.T) {
	for _, kind := range []nvmetest.Reset{nvmetest.ControllerReset, nvmetest.ConventionalReset, nvmetest.SubsystemReset, nvmetest.PowerCycle} {
		t.Run(kind.String(), func(t *testing.T) {
			target, drive := serve(t, Options{}, nvmetest.Consumer())
			h := admin(t, target, 0)
			q := ioQueue(t, target, 1, 1, 0)
			drive.Reset(kind)
			for _, lost := range []*host{h, q} {
				_, err := lost.conn.Read(make([]byte, 1))
				require.Error(t, err)
			}
			admin(t, target, 0)
		})
	}
}

func TestConnectWithoutPower(t *testing.T) {
	target, drive := serve(t, Options{}, nvmetest.Consumer())
	drive.PowerOff()
	h := dial(t, target).open(0, 0)
	require.Equal(t, statusControllerBusy, h.connect(connectCommand{Size: 31}, testHost(target.NQN())).Status)
	drive.PowerOn()
	admin(t, target, 0)
}

func TestControllerThatNeverGetsReady(t *testing.T) {
	target, drive := serve(t, Options{ReadyTimeout: 2 * time.Second}, nvmetest.Consumer(), func(p *nvmetest.Profile) { p.ReadyTime = 0 })
	h := admin(t, target, 0)
	capabilities := h.property(false, propertyCommand{Attributes: 1, Offset: propertyCAP}).Result
	require.Equal(t, uint64(4), capabilities>>24&0xff)
	c := nvme.NewController(drive)
	require.NoError(t, c.FirmwareDownload(t.Context(), 0, nvmetest.Firmware{Revision: "DEAD", Activation: nvmetest.NeverReady}.Image()))
	_, err := c.FirmwareCommit(t.Context(), nvme.FirmwareCommit{Slot: 2, Action: nvme.ReplaceAndActivateAtReset})
	require.NoError(t, err)
	require.Equal(t, nvme.Completion{}, h.property(true, propertyCommand{Offset: propertyCC, Value: ccEntrySizes}))
	require.Equal(t, nvme.Completion{}, h.property(true, propertyCommand{Offset: propertyCC, Value: ccOn}))
	require.Equal(t, nvme.Completion{}, h.property(false, propertyCommand{Offset: propertyCSTS}))
}

// TestDiscoveryTellsOfChanges: the only subsystem goes with its power.
func TestDiscoveryTellsOfChanges(t *testing.T) {
	target, drive := serve(t, Options{}, nvmetest.Consumer())
	h := dial(t, target).open(0, 0)
	require.Equal(t, nvme.StatusSuccess, h.connect(connectCommand{Size: 31}, testHost(discoveryNQN)).Status)
	require.Equal(t, nvme.Completion{}, h.property(true, propertyCommand{Offset: propertyCC, Value: ccOn}))
	records := func() (generation, count uint64) {
		log := make([]byte, 1024)
		done, _ := h.do(nvme.Command{Opcode: nvme.AdminGetLogPage, CDW10: 255<<16 | 0x70, Data: log})
		require.Equal(t, nvme.Completion{}, done)
		return binary.LittleEndian.Uint64(log), binary.LittleEndian.Uint64(log[8:])
	}
	first, count := records()
	require.Equal(t, uint64(1), count)
	done, _ := h.do(nvme.Command{Opcode: nvme.AdminSetFeatures, CDW10: uint32(nvme.FeatureAsyncEvents), CDW11: discoveryChangeBit})
	require.Equal(t, nvme.Completion{}, done)
	h.post(h.entry(nvme.Command{Opcode: nvme.AdminAsyncEvent}), nil, 0)
	drive.PowerOff()
	require.Equal(t, uint64(discoveryChange), h.finish(nil).Result)
	second, count := records()
	require.Zero(t, count)
	require.Greater(t, second, first)
	drive.PowerOn()
	h.post(h.entry(nvme.Command{Opcode: nvme.AdminAsyncEvent}), nil, 0)
	require.Equal(t, uint64(discoveryChange), h.finish(nil).Result)
	third, count := records()
	require.Equal(t, uint64(1), count)
	require.Greater(t, third, second)
}

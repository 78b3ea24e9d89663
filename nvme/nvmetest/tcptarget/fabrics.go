package tcptarget

import (
	"encoding/binary"
	"net"
	"strconv"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// opcodeFabrics is that of all Fabrics commands; their type is in byte 4.
const opcodeFabrics = uint8(nvme.AdminFabrics)

// Fabrics command types: NVMe Base 2.0, 6.
const (
	fabricsPropertySet = 0x00
	fabricsConnect     = 0x01
	fabricsPropertyGet = 0x04
	fabricsDisconnect  = 0x08
)

// Properties: NVMe Base 2.0, Figure 32, as offsets.
const (
	propertyCAP  = 0x00
	propertyVS   = 0x08
	propertyCC   = 0x14
	propertyCSTS = 0x1c
	propertyNSSR = 0x20
)

// Statuses of Connect: NVMe Base 2.0, Figure 96.
const (
	statusConnectFormat     nvme.Status = 0x180
	statusControllerBusy    nvme.Status = 0x181
	statusConnectParameters nvme.Status = 0x182
	statusConnectHost       nvme.Status = 0x184
	statusQueueType         nvme.Status = 0x185
)

// SGL descriptors: type in bits 7:4, subtype in 3:0. NVMe Base 2.0, 4.1.2.
const (
	sglOffset    = 0x01 // data block, by offset into the capsule
	sglTransport = 0x5a // transport data block
)

// sgl is an SGL descriptor: NVMe Base 2.0, Figures 105 and 106.
type sgl struct {
	Address uint64
	Length  uint32
	Type    uint8
}

func (s *sgl) walk(w *wire.Walker) {
	wire.U64(w, 0, &s.Address)
	wire.U32(w, 8, &s.Length)
	w.Reserved(12, 3)
	wire.U8(w, 15, &s.Type)
}

// connectCommand has the fields of Connect: NVMe Base 2.0, Figure 378.
type connectCommand struct {
	Format     uint16 // RECFMT
	QueueID    uint16
	Size       uint16 // SQSIZE, 0's based
	Attributes uint8  // CATTR
	KeepAlive  uint32 // KATO, ms
}

func (c *connectCommand) walk(w *wire.Walker) {
	wire.U16(w, 40, &c.Format)
	wire.U16(w, 42, &c.QueueID)
	wire.U16(w, 44, &c.Size)
	wire.U8(w, 46, &c.Attributes)
	w.Reserved(47, 1)
	wire.U32(w, 48, &c.KeepAlive)
	w.Reserved(52, 12)
}

// disconnectCommand has the fields of Disconnect: NVMe over Fabrics 1.1, Figure 25.
type disconnectCommand struct {
	Format uint16 // RECFMT
}

func (c *disconnectCommand) walk(w *wire.Walker) {
	wire.U16(w, 40, &c.Format)
	w.Reserved(42, 22)
}

// connectDataSize is that of connectData in bytes.
const connectDataSize = 1024

// connectData is the data of Connect: NVMe Base 2.0, Figure 379.
type connectData struct {
	HostID       [16]byte
	ControllerID uint16
	SubsystemNQN string
	HostNQN      string
}

func (c *connectData) walk(w *wire.Walker) {
	w.Bytes(0, c.HostID[:])
	wire.U16(w, 16, &c.ControllerID)
	w.Reserved(18, 238)
	w.UTF8(256, 256, &c.SubsystemNQN)
	w.UTF8(512, 256, &c.HostNQN)
	w.Reserved(768, 256)
}

// propertyCommand has the fields of Property Get and Set: Figures 382 and 386.
type propertyCommand struct {
	Attributes uint8 // bits 2:0: 0 is 4 bytes, 1 is 8
	Offset     uint32
	Value      uint64 // of Property Set
}

func (c *propertyCommand) walk(w *wire.Walker) {
	wire.U8(w, 40, &c.Attributes)
	w.Reserved(41, 3)
	wire.U32(w, 44, &c.Offset)
	wire.U64(w, 48, &c.Value)
	w.Reserved(56, 8)
}

// fields returns a part of a submission queue entry by its bytes, as Fabrics
// commands have fields of other sizes than dwords.
func fields(e *wire.SQE, walk func(w *wire.Walker)) error {
	b := make([]byte, wire.SQESize)
	if err := wire.Encode(b, e.Walk); err != nil {
		return err
	}
	return wire.Decode(b, walk)
}

// command makes the drive's command of a submission queue entry.
func command(e *wire.SQE, q nvme.Queue, data []byte) nvme.Command {
	return nvme.Command{
		Queue: q, Opcode: nvme.Opcode(e.Opcode), NSID: e.NSID, CDW2: e.CDW2, CDW3: e.CDW3,
		CDW10: e.CDW1015[0], CDW11: e.CDW1015[1], CDW12: e.CDW1015[2], CDW13: e.CDW1015[3],
		CDW14: e.CDW1015[4], CDW15: e.CDW1015[5], Data: data, Timeout: nvme.NoTimeout,
	}
}

// discoveryNQN is the well-known name of discovery services.
const discoveryNQN = "nqn.2014-08.org.nvmexpress.discovery"

// Discovery log page: NVMe Base 2.0, Figure 264, and its entries.
const (
	discoveryHeader = 1024
	discoveryEntry  = 1024
)

// discoveryLog returns the log page of a service that knows one NVM subsystem, at an
// address, or, without a name, none.
func discoveryLog(generation uint64, nqn string, at *net.TCPAddr) []byte {
	b := make([]byte, discoveryHeader, discoveryHeader+discoveryEntry)
	binary.LittleEndian.PutUint64(b[0:], generation) // GENCTR
	if nqn == "" {
		return b
	}
	b = b[:cap(b)]
	binary.LittleEndian.PutUint64(b[8:], 1) // NUMREC
	e := b[discoveryHeader:]
	e[0], e[1], e[2] = 3, 1, 2 // TRTYPE TCP, ADRFAM IPv4, SUBTYPE NVM subsystem
	if at.IP.To4() == nil {
		e[1] = 2 // IPv6
	}
	e[3] = 2                                         // TREQ: secure channel not required
	binary.LittleEndian.PutUint16(e[4:], 1)          // PORTID
	binary.LittleEndian.PutUint16(e[6:], 0xffff)     // CNTLID: dynamic
	binary.LittleEndian.PutUint16(e[8:], queueDepth) // ASQSZ
	text := func(b []byte, s string) {
		for i := copy(b, s); i < len(b); i++ {
			b[i] = ' '
		}
	}
	text(e[32:64], strconv.Itoa(at.Port))
	copy(e[256:512], nqn)
	text(e[512:768], at.IP.String())
	return b
}

package nvme

import "fmt"

// Queue says to which kind of queue a command goes; opcodes mean different
// things on the two.
type Queue uint8

// Queues.
const (
	AdminQueue Queue = iota
	IOQueue
)

// String returns "admin" or "I/O".
func (q Queue) String() string {
	if q == AdminQueue {
		return "admin"
	}
	return "I/O"
}

// Opcode is a command's opcode. What it means depends on the [Queue].
type Opcode uint8

// Opcodes of the admin queue: NVMe Base 2.0, 5 "Admin Command Set".
const (
	AdminDeleteSQ             Opcode = 0x00
	AdminCreateSQ             Opcode = 0x01
	AdminGetLogPage           Opcode = 0x02
	AdminDeleteCQ             Opcode = 0x04
	AdminCreateCQ             Opcode = 0x05
	AdminIdentify             Opcode = 0x06
	AdminAbort                Opcode = 0x08
	AdminSetFeatures          Opcode = 0x09
	AdminGetFeatures          Opcode = 0x0a
	AdminAsyncEvent           Opcode = 0x0c
	AdminNamespaceManagement  Opcode = 0x0d
	AdminFirmwareCommit       Opcode = 0x10
	AdminFirmwareDownload     Opcode = 0x11
	AdminSelfTest             Opcode = 0x14
	AdminNamespaceAttachment  Opcode = 0x15
	AdminKeepAlive            Opcode = 0x18
	AdminDirectiveSend        Opcode = 0x19
	AdminDirectiveReceive     Opcode = 0x1a
	AdminVirtualization       Opcode = 0x1c
	AdminMISend               Opcode = 0x1d
	AdminMIReceive            Opcode = 0x1e
	AdminCapacityManagement   Opcode = 0x20
	AdminLockdown             Opcode = 0x24
	AdminDoorbellBufferConfig Opcode = 0x7c
	AdminFabrics              Opcode = 0x7f
	AdminFormatNVM            Opcode = 0x80
	AdminSecuritySend         Opcode = 0x81
	AdminSecurityReceive      Opcode = 0x82
	AdminSanitize             Opcode = 0x84
	AdminGetLBAStatus         Opcode = 0x86
)

// Opcodes of the I/O queues: NVM Command Set 1.0, 3 "I/O Commands", and NVMe
// Base 2.0, 7 "I/O Commands".
const (
	IOFlush               Opcode = 0x00
	IOWrite               Opcode = 0x01
	IORead                Opcode = 0x02
	IOWriteUncorrectable  Opcode = 0x04
	IOCompare             Opcode = 0x05
	IOWriteZeroes         Opcode = 0x08
	IODatasetManagement   Opcode = 0x09
	IOVerify              Opcode = 0x0c
	IOReservationRegister Opcode = 0x0d
	IOReservationReport   Opcode = 0x0e
	IOReservationAcquire  Opcode = 0x11
	IOReservationRelease  Opcode = 0x15
	IOCopy                Opcode = 0x19
	IOZoneSend            Opcode = 0x79
	IOZoneReceive         Opcode = 0x7a
	IOZoneAppend          Opcode = 0x7d
)

// The first opcodes that are the vendor's.
const (
	adminVendorFirst Opcode = 0xc0
	ioVendorFirst    Opcode = 0x80
)

// Direction says which way a command's data goes.
type Direction uint8

// Directions, as bits 1:0 of an opcode encode them.
const (
	NoData         Direction = 0
	ToController   Direction = 1
	FromController Direction = 2
	BothWays       Direction = 3
)

// Direction returns which way the data of the command goes. The specification
// encodes it in the opcode, vendor's commands included: NVMe Base 2.0, 5
// "Admin Command Set" and 7 "I/O Commands".
func (o Opcode) Direction() Direction { return Direction(o & 3) }

var adminNames = map[Opcode]string{
	AdminDeleteSQ:             "delete I/O submission queue",
	AdminCreateSQ:             "create I/O submission queue",
	AdminGetLogPage:           "get log page",
	AdminDeleteCQ:             "delete I/O completion queue",
	AdminCreateCQ:             "create I/O completion queue",
	AdminIdentify:             "identify",
	AdminAbort:                "abort",
	AdminSetFeatures:          "set features",
	AdminGetFeatures:          "get features",
	AdminAsyncEvent:           "asynchronous event request",
	AdminNamespaceManagement:  "namespace management",
	AdminFirmwareCommit:       "firmware commit",
	AdminFirmwareDownload:     "firmware image download",
	AdminSelfTest:             "device self-test",
	AdminNamespaceAttachment:  "namespace attachment",
	AdminKeepAlive:            "keep alive",
	AdminDirectiveSend:        "directive send",
	AdminDirectiveReceive:     "directive receive",
	AdminVirtualization:       "virtualization management",
	AdminMISend:               "NVMe-MI send",
	AdminMIReceive:            "NVMe-MI receive",
	AdminCapacityManagement:   "capacity management",
	AdminLockdown:             "lockdown",
	AdminDoorbellBufferConfig: "doorbell buffer config",
	AdminFabrics:              "fabrics command",
	AdminFormatNVM:            "format NVM",
	AdminSecuritySend:         "security send",
	AdminSecurityReceive:      "security receive",
	AdminSanitize:             "sanitize",
	AdminGetLBAStatus:         "get LBA status",
}

var ioNames = map[Opcode]string{
	IOFlush:               "flush",
	IOWrite:               "write",
	IORead:                "read",
	IOWriteUncorrectable:  "write uncorrectable",
	IOCompare:             "compare",
	IOWriteZeroes:         "write zeroes",
	IODatasetManagement:   "dataset management",
	IOVerify:              "verify",
	IOReservationRegister: "reservation register",
	IOReservationReport:   "reservation report",
	IOReservationAcquire:  "reservation acquire",
	IOReservationRelease:  "reservation release",
	IOCopy:                "copy",
	IOZoneSend:            "zone management send",
	IOZoneReceive:         "zone management receive",
	IOZoneAppend:          "zone append",
}

// commandName names the command that opcode is on queue.
func commandName(queue Queue, opcode Opcode) string {
	names, vendor := adminNames, adminVendorFirst
	if queue == IOQueue {
		names, vendor = ioNames, ioVendorFirst
	}
	if name, ok := names[opcode]; ok {
		return name
	}
	if opcode >= vendor {
		return fmt.Sprintf("vendor's %v command %02Xh", queue, uint8(opcode))
	}
	return fmt.Sprintf("%v command %02Xh", queue, uint8(opcode))
}

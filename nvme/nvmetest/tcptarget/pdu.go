package tcptarget

import (
	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// pduType is the type of a PDU: NVMe TCP Transport 1.0, 3.6.1.
type pduType uint8

const (
	typeICReq      pduType = 0x00
	typeICResp     pduType = 0x01
	typeH2CTermReq pduType = 0x02
	typeC2HTermReq pduType = 0x03
	typeCapsuleCmd pduType = 0x04
	typeCapsuleRsp pduType = 0x05
	typeH2CData    pduType = 0x06
	typeC2HData    pduType = 0x07
	typeR2T        pduType = 0x09
)

// Flags of a PDU, by type.
const (
	flagHeaderDigest = 1 << 0
	flagDataDigest   = 1 << 1
	flagLast         = 1 << 2 // of data PDUs
)

// Header lengths in bytes, without digests.
const (
	commonSize     = 8
	icSize         = 128
	termSize       = 24
	commandSize    = commonSize + wire.SQESize
	responseSize   = commonSize + wire.CQESize
	dataHeaderSize = 24
	r2tSize        = 24
	maxHeaderSize  = icSize
)

// digestSize is that of a header or data digest in bytes.
const digestSize = 4

// maxTermData is how much of the PDU in error a termination request carries.
const maxTermData = 128

// commonHeader starts every PDU: NVMe TCP Transport 1.0, Figure 15.
type commonHeader struct {
	Type       pduType
	Flags      uint8
	HeaderSize uint8  // HLEN, without the digest
	DataOffset uint8  // PDO
	Size       uint32 // PLEN
}

func (h *commonHeader) walk(w *wire.Walker) {
	wire.U8(w, 0, &h.Type)
	wire.U8(w, 1, &h.Flags)
	wire.U8(w, 2, &h.HeaderSize)
	wire.U8(w, 3, &h.DataOffset)
	wire.U32(w, 4, &h.Size)
}

// initPDU is an ICReq or ICResp, which look the same: NVMe TCP Transport 1.0,
// Figures 16 and 17.
type initPDU struct {
	commonHeader
	Format    uint16 // PFV
	Alignment uint8  // HPDA or CPDA, in dwords, 0's based
	Digests   uint8  // DGST: header 0, data 1
	Limit     uint32 // MAXR2T, 0's based; or MAXH2CDATA, bytes
}

func (p *initPDU) walk(w *wire.Walker) {
	p.commonHeader.walk(w)
	wire.U16(w, 8, &p.Format)
	wire.U8(w, 10, &p.Alignment)
	wire.U8(w, 11, &p.Digests)
	wire.U32(w, 12, &p.Limit)
	w.Reserved(16, 112)
}

// termPDU is a termination request of either side: Figures 18 and 19.
type termPDU struct {
	commonHeader
	Status fatalStatus
	Info   uint32 // FEI: offset of the bad field, or the digest received
}

func (p *termPDU) walk(w *wire.Walker) {
	p.commonHeader.walk(w)
	wire.U16(w, 8, &p.Status)
	wire.U32(w, 10, &p.Info)
	w.Reserved(14, 10)
}

// commandPDU is a CapsuleCmd: Figure 20.
type commandPDU struct {
	commonHeader
	Entry wire.SQE
}

func (p *commandPDU) walk(w *wire.Walker) {
	p.commonHeader.walk(w)
	w.Nested(8, wire.SQESize, &p.Entry, p.Entry.Walk)
}

// responsePDU is a CapsuleResp: Figure 21.
type responsePDU struct {
	commonHeader
	Entry wire.CQE
}

func (p *responsePDU) walk(w *wire.Walker) {
	p.commonHeader.walk(w)
	w.Nested(8, wire.CQESize, &p.Entry, p.Entry.Walk)
}

// dataPDU is an H2CData or C2HData: Figures 22 and 23; and an R2T: Figure 24.
type dataPDU struct {
	commonHeader
	CommandID uint16
	Tag       uint16 // TTAG; reserved in C2HData
	Offset    uint32 // into the command's data
	Length    uint32
}

func (p *dataPDU) walk(w *wire.Walker) {
	p.commonHeader.walk(w)
	wire.U16(w, 8, &p.CommandID)
	wire.U16(w, 10, &p.Tag)
	wire.U32(w, 12, &p.Offset)
	wire.U32(w, 16, &p.Length)
	w.Reserved(20, 4)
}

// headerSizes are those of what a host sends.
var headerSizes = map[pduType]int{
	typeICReq: icSize, typeH2CTermReq: termSize, typeCapsuleCmd: commandSize, typeH2CData: dataHeaderSize,
}

// framing is what a connection has agreed on.
type framing struct {
	headerDigest, dataDigest bool
	hostAlignment            int // bytes: C2HData's data starts at a multiple
}

// decodeCommon decodes the start of a PDU from a host, and checks all of it: what
// comes after it can then be read. limit is how much data a PDU may have, in
// bytes.
func (f framing) decodeCommon(b []byte, limit int) (h commonHeader, err error) {
	if err := wire.Decode(b[:commonSize], h.walk); err != nil {
		return h, err
	}
	size, known := headerSizes[h.Type]
	if !known {
		return h, fatal(fesHeaderField, 0, "PDU type is %#02x, want that of a host's PDU: 0, 2, 4 or 6", uint8(h.Type))
	}
	var want uint8
	switch {
	case h.Type == typeH2CData:
		want = f.flags(true) | h.Flags&flagLast
	case h.Type == typeCapsuleCmd:
		want = f.flags(h.DataOffset != 0)
	}
	switch {
	case h.Flags != want:
		return h, fatal(fesHeaderField, 1, "flags of PDU type %#02x are %#02x, want %#02x as was agreed on", uint8(h.Type), h.Flags, want)
	case int(h.HeaderSize) != size:
		return h, fatal(fesHeaderField, 2, "HLEN of PDU type %#02x is %d, want %d", uint8(h.Type), h.HeaderSize, size)
	}
	return h, f.checkSize(&h, limit)
}

// checkSize checks PLEN and PDO.
func (f framing) checkSize(h *commonHeader, limit int) error {
	head := f.headSize(h.Type)
	switch {
	case h.Type == typeH2CTermReq:
		if h.Size < termSize || h.Size > termSize+maxTermData {
			return fatal(fesHeaderField, 4, "PLEN of H2CTermReq is %d, want %d to %d", h.Size, termSize, termSize+maxTermData)
		}
	case h.Type == typeICReq || h.Type == typeCapsuleCmd && h.DataOffset == 0:
		if h.DataOffset != 0 {
			return fatal(fesHeaderField, 3, "PDO of ICReq is %d, want 0", h.DataOffset)
		}
		if int64(h.Size) != int64(head) {
			return fatal(fesHeaderField, 4, "PLEN of PDU type %#02x without data is %d, want %d", uint8(h.Type), h.Size, head)
		}
	default:
		if int(h.DataOffset) != head { // CPDA is 0: padded to dwords
			return fatal(fesHeaderField, 3, "PDO of PDU type %#02x is %d, want %d", uint8(h.Type), h.DataOffset, head)
		}
		if n := int64(h.Size) - int64(head) - int64(f.tail()); n < 1 || n > int64(limit) {
			return fatal(fesHeaderField, 4, "PDU type %#02x with a PLEN of %d has %d bytes of data, want 1 to %d", uint8(h.Type), h.Size, n, limit)
		}
	}
	return nil
}

// flags returns the flags of a PDU that has digests as agreed.
func (f framing) flags(data bool) (flags uint8) {
	if f.headerDigest {
		flags |= flagHeaderDigest
	}
	if f.dataDigest && data {
		flags |= flagDataDigest
	}
	return flags
}

// headSize returns the bytes of the header of a host's PDU, with its digest.
func (f framing) headSize(t pduType) int {
	n := headerSizes[t]
	if f.headerDigest && (t == typeCapsuleCmd || t == typeH2CData) {
		n += digestSize
	}
	return n
}

// tail returns the bytes that follow a PDU's data.
func (f framing) tail() int {
	if f.dataDigest {
		return digestSize
	}
	return 0
}

// dataSize returns the bytes of data in a PDU that decodeCommon took.
func (f framing) dataSize(h *commonHeader) int {
	if h.DataOffset == 0 {
		return 0
	}
	return int(h.Size) - int(h.DataOffset) - f.tail()
}

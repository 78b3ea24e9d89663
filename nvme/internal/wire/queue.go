package wire

// Sizes of queue entries in bytes.
const (
	SQESize = 64
	CQESize = 16
)

// SQE is a submission queue entry: NVMe Base 2.0, 3.3.3.1 "Submission Queue
// Entry". A transport over a network carries it as it is.
type SQE struct {
	Opcode  uint8
	Flags   uint8 // FUSE 1:0, PSDT 7:6
	CID     uint16
	NSID    uint32
	CDW2    uint32
	CDW3    uint32
	MPTR    uint64
	DPTR    [16]byte
	CDW1015 [6]uint32 // CDW10 to CDW15
}

// Walk visits the entry's fields.
func (e *SQE) Walk(w *Walker) {
	U8(w, 0, &e.Opcode)
	U8(w, 1, &e.Flags)
	U16(w, 2, &e.CID)
	U32(w, 4, &e.NSID)
	U32(w, 8, &e.CDW2)
	U32(w, 12, &e.CDW3)
	U64(w, 16, &e.MPTR)
	w.Bytes(24, e.DPTR[:])
	for i := range e.CDW1015 {
		U32(w, 40+4*i, &e.CDW1015[i])
	}
}

// CQE is a completion queue entry: NVMe Base 2.0, 3.3.3.2 "Common Completion
// Queue Entry".
type CQE struct {
	Result uint64 // DW0 in the low half, DW1 in the high one
	SQHD   uint16
	SQID   uint16
	CID    uint16
	Status uint16 // the phase tag in bit 0, nvme.Status in bits 15:1
}

// Walk visits the entry's fields.
func (e *CQE) Walk(w *Walker) {
	U64(w, 0, &e.Result)
	U16(w, 8, &e.SQHD)
	U16(w, 10, &e.SQID)
	U16(w, 12, &e.CID)
	U16(w, 14, &e.Status)
}

package nvme

import (
	"context"
	"encoding/binary"
	"fmt"
)

// LBAStatusLog is the LBA Status Information log (0Eh): NVM Command Set 1.0, 4.1.4.5.
type LBAStatusLog struct {
	Length               uint32               `json:"lslplen"` // LSLPLEN: bytes of the log
	EstimatedUnrecovered uint32               `json:"estulb"`  // ESTULB: logical blocks that may be unreadable and are not in the log
	Generation           uint16               `json:"lsgc"`    // LSGC: changes with the log
	Namespaces           []NamespaceLBAStatus `json:"ns_elements"`
}

// NamespaceLBAStatus is an LBA Status Log Namespace Element.
type NamespaceLBAStatus struct {
	NSID   uint32               `json:"neid"`
	Action LBAStatusAction      `json:"ratype"` // RATYPE: the action of LBAStatus that is recommended
	All    bool                 `json:"-"`      // Ranges is empty, as any block may be concerned (NLRD FFFFFFFFh)
	Ranges []LBAStatusRangeHint `json:"descs"`
}

// LBAStatusRangeHint is an LBA Range Descriptor: where to look with LBAStatus.
type LBAStatusRangeHint struct {
	LBA    uint64 `json:"rslba"`
	Blocks uint32 `json:"rnlb"`
}

// LBAStatusLog returns where blocks may be unreadable. It clears the event that
// announced it.
func (c *Controller) LBAStatusLog(ctx context.Context) (*LBAStatusLog, error) {
	page, err := c.logOf(ctx, LogPageRequest{ID: LogLBAStatus}, 16, func(head []byte) uint64 {
		return uint64(binary.LittleEndian.Uint32(head))
	})
	if err != nil {
		return nil, err
	}
	return DecodeLBAStatusLog(page)
}

// DecodeLBAStatusLog decodes a log page.
func DecodeLBAStatusLog(b []byte) (*LBAStatusLog, error) {
	short := func(what string) error { return &DecodeError{"LBAStatusLog", what + " reaches past the page"} }
	if len(b) < 16 {
		return nil, short("the header")
	}
	le := binary.LittleEndian
	l := &LBAStatusLog{Length: le.Uint32(b), EstimatedUnrecovered: le.Uint32(b[8:]), Generation: le.Uint16(b[14:])}
	n := le.Uint32(b[4:])
	b = b[16:]
	for i := range n {
		if len(b) < 16 {
			return nil, short(fmt.Sprintf("namespace element %d of %d", i, n))
		}
		e := NamespaceLBAStatus{NSID: le.Uint32(b), Action: LBAStatusAction(b[8])}
		ranges := le.Uint32(b[4:])
		b = b[16:]
		if e.All = ranges == 0xffffffff; e.All {
			ranges = 0
		}
		if uint64(ranges)*16 > uint64(len(b)) {
			return nil, short(fmt.Sprintf("the list of %d ranges of nsid %d", ranges, e.NSID))
		}
		for range ranges {
			e.Ranges = append(e.Ranges, LBAStatusRangeHint{LBA: le.Uint64(b), Blocks: le.Uint32(b[8:])})
			b = b[16:]
		}
		l.Namespaces = append(l.Namespaces, e)
	}
	return l, nil
}

package tcptarget

import "fmt"

// fatalError is why a target ended a connection: what the host sent is not as
// NVMe/TCP has it. The C2HTermReq that the host gets has the same in it. NVMe TCP
// Transport 1.0, 3.5.
type fatalError struct {
	Status fatalStatus
	Offset uint32 // FEI: of the field in the PDU's header, in bytes; or the digest received
	Reason string
}

// Error names the status, the place and the reason.
func (e *fatalError) Error() string {
	if e.Status == fesHeaderField || e.Status == fesUnsupported {
		return fmt.Sprintf("tcptarget: %v at byte %d: %s", e.Status, e.Offset, e.Reason)
	}
	return fmt.Sprintf("tcptarget: %v: %s", e.Status, e.Reason)
}

// fatalStatus is the FES field of a termination request, of either side: NVMe TCP
// Transport 1.0, 3.6.2.4.
type fatalStatus uint16

// Fatal error statuses.
const (
	fesHeaderField   fatalStatus = 1
	fesSequence      fatalStatus = 2
	fesHeaderDigest  fatalStatus = 3
	fesOutOfRange    fatalStatus = 4
	fesLimitExceeded fatalStatus = 5
	fesUnsupported   fatalStatus = 6
)

// String names the status.
func (s fatalStatus) String() string {
	switch s {
	case fesHeaderField:
		return "invalid PDU header field"
	case fesSequence:
		return "PDU sequence error"
	case fesHeaderDigest:
		return "header digest error"
	case fesOutOfRange:
		return "data transfer out of range"
	case fesLimitExceeded:
		return "data transfer limit exceeded"
	case fesUnsupported:
		return "unsupported parameter"
	}
	return fmt.Sprintf("fatal error status %d", uint16(s))
}

func fatal(s fatalStatus, offset uint32, format string, args ...any) error {
	return &fatalError{s, offset, fmt.Sprintf(format, args...)}
}

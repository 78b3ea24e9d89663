package tcptarget

import (
	"errors"
	"fmt"
)

// ErrClosed says that the target is closed.
var ErrClosed = errors.New("tcptarget: target closed")

// FatalError is why a target ended a connection: what the host sent is not as
// NVMe/TCP has it. The C2HTermReq that the host gets has the same in it. NVMe TCP
// Transport 1.0, 3.5.
type FatalError struct {
	Status FatalStatus
	Offset uint32 // of the field in the PDU's header, in bytes, for InvalidHeaderField and UnsupportedParameter
	Reason string
}

// Error names the status, the place and the reason.
func (e *FatalError) Error() string {
	if e.Status == InvalidHeaderField || e.Status == UnsupportedParameter {
		return fmt.Sprintf("tcptarget: %v at byte %d: %s", e.Status, e.Offset, e.Reason)
	}
	return fmt.Sprintf("tcptarget: %v: %s", e.Status, e.Reason)
}

// FatalStatus is the FES field of a termination request: NVMe TCP Transport 1.0,
// 3.6.2.4.
type FatalStatus uint16

// Fatal error statuses.
const (
	InvalidHeaderField   FatalStatus = 1
	SequenceError        FatalStatus = 2
	HeaderDigestError    FatalStatus = 3
	DataOutOfRange       FatalStatus = 4
	DataLimitExceeded    FatalStatus = 5
	UnsupportedParameter FatalStatus = 6
)

// String names the status.
func (s FatalStatus) String() string {
	switch s {
	case InvalidHeaderField:
		return "invalid PDU header field"
	case SequenceError:
		return "PDU sequence error"
	case HeaderDigestError:
		return "header digest error"
	case DataOutOfRange:
		return "data transfer out of range"
	case DataLimitExceeded:
		return "data transfer limit exceeded"
	case UnsupportedParameter:
		return "unsupported parameter"
	}
	return fmt.Sprintf("fatal error status %d", uint16(s))
}

func fatal(s FatalStatus, offset uint32, format string, args ...any) error {
	return &FatalError{s, offset, fmt.Sprintf(format, args...)}
}

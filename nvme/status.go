package nvme

import (
	"fmt"
	"strings"
)

// Status is the status field of a completion without the phase tag: NVMe Base
// 2.0, 3.3.3.2.1 "Status Field Definition".
//
//	bits 7:0   SC    status code
//	bits 10:8  SCT   status code type
//	bits 12:11 CRD   command retry delay
//	bit  13    MORE  there is more in the error log
//	bit  14    DNR   do not retry
//
// A Status is an error, so that it can be given to errors.Is: it matches every
// error with the same SCT and SC, whatever the other bits are.
type Status uint16

// StatusType is the status code type.
type StatusType uint8

// Status code types. 4h to 6h are reserved.
const (
	GenericStatus         StatusType = 0
	CommandSpecificStatus StatusType = 1
	MediaStatus           StatusType = 2 // media and data integrity errors
	PathStatus            StatusType = 3
	VendorStatus          StatusType = 7
)

// String names the type.
func (t StatusType) String() string {
	switch t {
	case GenericStatus:
		return "generic"
	case CommandSpecificStatus:
		return "command specific"
	case MediaStatus:
		return "media and data integrity"
	case PathStatus:
		return "path related"
	case VendorStatus:
		return "vendor specific"
	}
	return fmt.Sprintf("reserved status type %Xh", uint8(t))
}

const (
	statusCodeMask Status = 0x07ff
	statusMore     Status = 1 << 13
	statusDNR      Status = 1 << 14
	statusCRDShift        = 11
)

// NewStatus composes a status with neither CRD, MORE nor DNR. Bits of t above
// the third are refused by returning a reserved type.
func NewStatus(t StatusType, code uint8) Status {
	return Status(min(t, 7))<<8 | Status(code)
}

// Code returns the status with CRD, MORE and DNR cleared: one of the Status
// constants, where the code is defined.
func (s Status) Code() Status { return s & statusCodeMask }

// SC returns the status code.
func (s Status) SC() uint8 { return uint8(s) }

// SCT returns the status code type.
func (s Status) SCT() StatusType { return StatusType(s >> 8 & 7) }

// CRD returns the command retry delay: 0 for none, or which of the three
// times CRDT1 to CRDT3 of Identify Controller to wait before a retry.
func (s Status) CRD() int { return int(s >> statusCRDShift & 3) }

// More reports whether the error log says more about the command.
func (s Status) More() bool { return s&statusMore != 0 }

// DNR reports whether the same command is expected to fail again.
func (s Status) DNR() bool { return s&statusDNR != 0 }

// WithDNR returns the status with DNR set.
func (s Status) WithDNR() Status { return s | statusDNR }

// WithMore returns the status with MORE set.
func (s Status) WithMore() Status { return s | statusMore }

// Success reports whether SCT and SC are zero.
func (s Status) Success() bool { return s.Code() == 0 }

// Is reports whether target is a Status with the same SCT and SC.
func (s Status) Is(target error) bool {
	t, ok := target.(Status)
	return ok && t.Code() == s.Code()
}

// Error is String.
func (s Status) Error() string { return s.String() }

// String gives the specification's name of the status, its numbers, and CRD,
// MORE and DNR where they are set.
func (s Status) String() string { return s.text(statusNames[s.Code()]) }

func (s Status) text(name string) string {
	if name == "" {
		name = s.SCT().String() + " status"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s (SCT %Xh, SC %02Xh", name, uint8(s.SCT()), s.SC())
	if crd := s.CRD(); crd != 0 {
		fmt.Fprintf(&b, ", CRD %d", crd)
	}
	if s.More() {
		b.WriteString(", more in the error log")
	}
	if s.DNR() {
		b.WriteString(", do not retry")
	}
	return b.String() + ")"
}

package nvme

import (
	"fmt"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// SelfTestLog is the Device Self-test log (06h): NVMe Base 2.0, 5.16.1.7.
type SelfTestLog struct {
	Current    SelfTest           `json:"-"` // the operation in progress; 0 is none
	Completion uint8              `json:"-"` // bits 6:0, percent of it, if one is in progress
	Results    [20]SelfTestResult `json:"-"` // the newest first
}

func (*SelfTestLog) size() int { return 564 }

func (l *SelfTestLog) walk(w *wire.Walker) {
	wire.U8(w, 0, &l.Current)
	wire.U8(w, 1, &l.Completion)
	w.Reserved(2, 2)
	for i := range l.Results {
		nested(w, 4+28*i, &l.Results[i])
	}
}

// Progress returns the test that is in progress, and how many percent of it are
// done.
func (l *SelfTestLog) Progress() (test SelfTest, percent int, running bool) {
	test = l.Current & 0xf
	return test, int(l.Completion & 0x7f), test != 0
}

// SelfTestResult is a Self-test Result data structure: NVMe Base 2.0,
// 5.16.1.7. Which of its last fields mean anything is in Valid.
type SelfTestResult struct {
	Status       uint8         `json:"-"` // bits 3:0 outcome, bits 7:4 the SelfTest
	Segment      uint8         `json:"-"` // the first that failed, if Outcome is SelfTestSegmentFailed
	Valid        SelfTestValid `json:"-"` // VDI
	PowerOnHours uint64        `json:"-"` // when it was completed or aborted
	NSID         uint32        `json:"-"` // with SelfTestNSID: where it failed
	FailingLBA   uint64        `json:"-"` // with SelfTestLBA
	StatusType   uint8         `json:"-"` // with SelfTestStatusType, bits 2:0: an SCT
	StatusCode   uint8         `json:"-"` // with SelfTestStatusCode: an SC
	Vendor       [2]byte       `json:"-"`
}

// SelfTestValid says which fields of a [SelfTestResult] are valid.
type SelfTestValid uint8

// Bits of SelfTestValid.
const (
	SelfTestNSID SelfTestValid = 1 << iota
	SelfTestLBA
	SelfTestStatusType
	SelfTestStatusCode
)

// String names the bits.
func (v SelfTestValid) String() string { return flagText(uint64(v), "nsid", "lba", "sct", "sc") }

func (*SelfTestResult) size() int { return 28 }

func (r *SelfTestResult) walk(w *wire.Walker) {
	wire.U8(w, 0, &r.Status)
	wire.U8(w, 1, &r.Segment)
	wire.U8(w, 2, &r.Valid)
	w.Reserved(3, 1)
	wire.U64(w, 4, &r.PowerOnHours)
	wire.U32(w, 12, &r.NSID)
	wire.U64(w, 16, &r.FailingLBA)
	wire.U8(w, 24, &r.StatusType)
	wire.U8(w, 25, &r.StatusCode)
	w.Bytes(26, r.Vendor[:])
}

// Test returns which test the result is of.
func (r *SelfTestResult) Test() SelfTest { return SelfTest(r.Status >> 4) }

// Outcome returns how the test ended.
func (r *SelfTestResult) Outcome() SelfTestOutcome { return SelfTestOutcome(r.Status & 0xf) }

// Where returns the namespace and the logical block that the test failed at,
// and whether the drive says so.
func (r *SelfTestResult) Where() (nsid uint32, lba uint64, ok bool) {
	const both = SelfTestNSID | SelfTestLBA
	if r.Valid&both != both {
		return 0, 0, false
	}
	return r.NSID, r.FailingLBA, true
}

// Cause returns the status that describes the failure, and whether the drive
// says so.
func (r *SelfTestResult) Cause() (s Status, ok bool) {
	const both = SelfTestStatusType | SelfTestStatusCode
	if r.Valid&both != both {
		return 0, false
	}
	return NewStatus(StatusType(r.StatusType&7), r.StatusCode), true
}

// SelfTest is a self-test code.
type SelfTest uint8

// Self-test codes.
const (
	ShortSelfTest    SelfTest = 0x1
	ExtendedSelfTest SelfTest = 0x2
	VendorSelfTest   SelfTest = 0xe
	AbortSelfTest    SelfTest = 0xf // a command only: ends the test in progress
)

// String names the test.
func (t SelfTest) String() string {
	switch t {
	case 0:
		return "none"
	case ShortSelfTest:
		return "short"
	case ExtendedSelfTest:
		return "extended"
	case VendorSelfTest:
		return "vendor specific"
	case AbortSelfTest:
		return "abort"
	}
	return fmt.Sprintf("self-test %Xh", uint8(t))
}

// SelfTestOutcome is how a self-test ended.
type SelfTestOutcome uint8

// Self-test outcomes.
const (
	SelfTestPassed SelfTestOutcome = iota
	SelfTestAborted
	SelfTestAbortedReset
	SelfTestAbortedNamespace
	SelfTestAbortedFormat
	SelfTestFatal
	SelfTestUnknownFailed
	SelfTestSegmentFailed
	SelfTestAbortedUnknown
	SelfTestAbortedSanitize
	SelfTestUnused SelfTestOutcome = 0xf // the entry holds no result
)

// String says how the test ended.
func (o SelfTestOutcome) String() string {
	names := [...]string{"completed without error", "aborted by a self-test command", "aborted by a controller level reset",
		"aborted as a namespace was removed", "aborted by a format", "fatal error, not completed",
		"completed, an unknown segment failed", "completed, a segment failed", "aborted for an unknown reason",
		"aborted by a sanitize"}
	if int(o) < len(names) {
		return names[o]
	}
	if o == SelfTestUnused {
		return "entry not used"
	}
	return fmt.Sprintf("outcome %Xh", uint8(o))
}

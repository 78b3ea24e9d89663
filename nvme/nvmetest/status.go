package nvmetest

import "github.com/drivebay/drivebay/nvme"

// Statuses that the same command will get again.
var (
	success          = nvme.StatusSuccess
	invalidOpcode    = nvme.StatusInvalidOpcode.WithDNR()
	invalidField     = nvme.StatusInvalidField.WithDNR()
	invalidNamespace = nvme.StatusInvalidNamespace.WithDNR()
	invalidLength    = nvme.StatusInvalidSGLDataLength.WithDNR()
	invalidFormat    = nvme.StatusInvalidFormat.WithDNR()
	invalidLogPage   = nvme.StatusInvalidLogPage.WithDNR()
	lbaOutOfRange    = nvme.StatusLBAOutOfRange.WithDNR()
	sizeLimit        = nvme.StatusCommandSizeLimit.WithDNR()
)

// Byte offsets of the fields of a submission queue entry that an error log
// entry points at: NVMe Base 2.0, 3.3.3.1.
const (
	byteNSID  = 4
	byteCDW10 = 40
)

// invalid is the status for a bad field: bit of command dword dword, 10 to 15.
func (r *request) invalid(dword, bit int) nvme.Status {
	return r.locate(byteCDW10+4*(dword-10)+bit/8, bit%8, invalidField)
}

// locate remembers which byte and bit of the submission queue entry the status
// is about.
func (r *request) locate(offset, bit int, s nvme.Status) nvme.Status {
	r.location = uint16(offset) | uint16(bit)<<8
	return s
}

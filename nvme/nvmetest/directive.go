package nvmetest

import (
	"encoding/binary"

	"github.com/drivebay/drivebay/nvme"
)

// directiveSend carries out a Directive Send: NVMe Base 2.0, 5.11. Of directives
// there is only Identify, which can enable no other.
func directiveSend(r *request) nvme.Status {
	if operation := r.cmd.CDW11 & 0xff; operation != 1 {
		return r.invalid(11, 0)
	}
	if s := r.checkDirective(0); s != success {
		return s
	}
	if target := r.cmd.CDW12 >> 8 & 0xff; target != 0 { // only Identify, which is always on
		return r.invalid(12, 8)
	}
	return success
}

// directiveReceive carries out a Directive Receive: NVMe Base 2.0, 5.10.
func directiveReceive(r *request) nvme.Status {
	if operation := r.cmd.CDW11 & 0xff; operation != 1 {
		return r.invalid(11, 0)
	}
	if s := r.checkDirective((int(min(r.cmd.CDW10, 1<<20)) + 1) * 4); s != success {
		return s
	}
	page := encode(&nvme.Directives{SupportedBits: [32]byte{1}, EnabledBits: [32]byte{1}})
	clear(r.cmd.Data[copy(r.cmd.Data, page):])
	return success
}

func (r *request) checkDirective(size int) nvme.Status {
	if kind := r.cmd.CDW11 >> 8 & 0xff; kind != uint32(nvme.IdentifyDirective) {
		return r.invalid(11, 8)
	}
	return r.transfer(size)
}

// securityReceive carries out a Security Receive: NVMe Base 2.0, 5.25. There is
// only protocol 0, which lists the protocols (SPC-5, 7.7.1).
func securityReceive(r *request) nvme.Status {
	protocol, specific := r.cmd.CDW10>>24, r.cmd.CDW10>>8&0xffff
	if uint64(len(r.cmd.Data)) != uint64(r.cmd.CDW11) {
		return invalidLength
	}
	if protocol != 0 || r.cmd.CDW10&0xff != 0 {
		return r.invalid(10, 24)
	}
	var page []byte
	switch specific {
	case 0: // the list of protocols
		page = make([]byte, 12)
		binary.BigEndian.PutUint16(page[6:], 1)
	case 1: // no certificate
		page = make([]byte, 4)
	default:
		return r.invalid(10, 8)
	}
	clear(r.cmd.Data[copy(r.cmd.Data, page):])
	return success
}

// securitySend carries out a Security Send. No protocol takes one.
func securitySend(r *request) nvme.Status {
	if uint64(len(r.cmd.Data)) != uint64(r.cmd.CDW11) {
		return invalidLength
	}
	return r.invalid(10, 24)
}

package nvmetest

import (
	"encoding/binary"

	"github.com/drivebay/drivebay/nvme"
)

// The bits of CDW12 that control protection information: NVM Command Set 1.0,
// 3.2.4.
const (
	prAction   = 1 << 29
	prGuard    = 1 << 28
	prAppTag   = 1 << 27
	prRefTag   = 1 << 26
	tupleSize  = 8 // bytes of protection information with a 16-bit guard
	piFirst    = 1 << 3
	piTypeMask = 7
)

// strips reports whether the controller makes and strips the metadata itself.
func (n *Namespace) strips(r *request) bool {
	return n.pi&piTypeMask != 0 && r.cmd.CDW12&prAction != 0 && n.metaSize() == tupleSize
}

// checkBuffers checks that the host's buffers have the lengths that count blocks
// imply, and that the tags can be right.
func (n *Namespace) checkBuffers(r *request, count uint64) nvme.Status {
	data, meta := count*uint64(n.blockSize()), count*uint64(n.metaSize())
	switch {
	case n.strips(r):
		meta = 0
	case n.extended:
		data, meta = data+meta, 0
	}
	if uint64(len(r.cmd.Data)) != data {
		return invalidLength
	}
	if uint64(len(r.cmd.Metadata)) != meta {
		return nvme.StatusInvalidSGLMetadataLength.WithDNR()
	}
	// In type 1 the reference tag is the LBA's.
	if n.pi&piTypeMask == 1 && r.cmd.CDW12&prRefTag != 0 && r.cmd.CDW14 != r.cmd.CDW10 {
		return r.locate(byteCDW10+16, 0, nvme.StatusInvalidProtection.WithDNR())
	}
	return success
}

// load reads blocks from the media into the host's buffers.
func (r *request) load(lba, count uint64) nvme.Status {
	n, bs, ms := r.ns, r.ns.blockSize(), r.ns.metaSize()
	if _, empty := n.written.firstMissing(lba, count); ms == 0 && !empty {
		if _, err := n.media.ReadAt(r.cmd.Data, int64(lba)*int64(bs)); err != nil {
			return nvme.StatusUnrecoveredRead
		}
		return success
	}
	if ms == 0 {
		for i := range count {
			if s := n.readBlock(lba+i, r.cmd.Data[int(i)*bs:][:bs], nil); s != success {
				r.lba = lba + i
				return s
			}
		}
		return success
	}
	meta := make([]byte, ms)
	for i := range count {
		data, hostMeta := r.hostBlock(i, bs, ms)
		s := n.readBlock(lba+i, data, meta)
		if s == success {
			s = n.checkTuple(r, uint32(i), data, meta)
		}
		if s != success {
			r.lba = lba + i
			return s
		}
		copy(hostMeta, meta)
	}
	return success
}

// readBlock reads one block. A block that is not allocated is zeros, and its
// protection information FFh, which passes every check: NVM Command Set 1.0,
// 3.2.3.2.1.
func (n *Namespace) readBlock(lba uint64, data, meta []byte) nvme.Status {
	if _, empty := n.written.firstMissing(lba, 1); empty {
		clear(data)
		clear(meta)
		if n.pi&piTypeMask != 0 {
			t, _ := n.tuple(meta)
			for i := range t {
				t[i] = 0xff
			}
		}
		return success
	}
	if _, err := n.media.ReadAt(data, int64(lba)*int64(len(data))); err != nil {
		return nvme.StatusUnrecoveredRead
	}
	_, _ = n.meta.ReadAt(meta, int64(lba)*int64(len(meta)))
	return success
}

// store writes blocks from the host's buffers to the media, once all of them
// have passed their checks.
func (r *request) store(lba, count uint64) nvme.Status {
	n, bs, ms := r.ns, r.ns.blockSize(), r.ns.metaSize()
	if ms == 0 {
		if _, err := n.media.WriteAt(r.cmd.Data, int64(lba)*int64(bs)); err != nil {
			return nvme.StatusWriteFault
		}
		return success
	}
	metas := make([]byte, int(count)*ms)
	for i := range count {
		data, hostMeta := r.hostBlock(i, bs, ms)
		meta := metas[int(i)*ms:][:ms]
		copy(meta, hostMeta)
		if n.pi&piTypeMask != 0 && r.cmd.CDW12&prAction != 0 {
			n.makeTuple(r, uint32(i), data, meta)
		} else if s := n.checkTuple(r, uint32(i), data, meta); s != success {
			r.lba = lba + i
			return s
		}
	}
	for i := range count {
		data, _ := r.hostBlock(i, bs, ms)
		if _, err := n.media.WriteAt(data, int64(lba+i)*int64(bs)); err != nil {
			r.lba = lba + i
			return nvme.StatusWriteFault
		}
	}
	_, _ = n.meta.WriteAt(metas, int64(lba)*int64(ms))
	return success
}

// hostBlock returns where a block and its metadata lie in the host's buffers.
// The metadata is empty if it is not transferred.
func (r *request) hostBlock(i uint64, bs, ms int) (data, meta []byte) {
	switch {
	case r.ns.strips(r):
		return r.cmd.Data[int(i)*bs:][:bs], nil
	case r.ns.extended:
		b := r.cmd.Data[int(i)*(bs+ms):][:bs+ms]
		return b[:bs], b[bs:]
	}
	return r.cmd.Data[int(i)*bs:][:bs], r.cmd.Metadata[int(i)*ms:][:ms]
}

// tuple returns the protection information in metadata, and the metadata before
// it, which the guard covers.
func (n *Namespace) tuple(meta []byte) (tuple, before []byte) {
	if n.pi&piFirst != 0 {
		return meta[:tupleSize], nil
	}
	at := len(meta) - tupleSize
	return meta[at:], meta[:at]
}

// makeTuple makes protection information by the tags of the command.
func (n *Namespace) makeTuple(r *request, i uint32, data, meta []byte) {
	t, before := n.tuple(meta)
	binary.BigEndian.PutUint16(t, crcT10(crcT10(0, data), before))
	binary.BigEndian.PutUint16(t[2:], uint16(r.cmd.CDW15))
	ref := r.cmd.CDW14
	if n.pi&piTypeMask != 3 {
		ref += i
	}
	binary.BigEndian.PutUint32(t[4:], ref)
}

// checkTuple makes the checks of protection information that the command asks
// for: NVM Command Set 1.0, 5.2.
func (n *Namespace) checkTuple(r *request, i uint32, data, meta []byte) nvme.Status {
	kind := n.pi & piTypeMask
	if kind == 0 {
		return success
	}
	t, before := n.tuple(meta)
	app, ref := binary.BigEndian.Uint16(t[2:]), binary.BigEndian.Uint32(t[4:])
	if app == 0xffff && (kind != 3 || ref == 0xffffffff) {
		return success // by the specification, nothing is checked then
	}
	prinfo, mask := r.cmd.CDW12, uint16(r.cmd.CDW15>>16)
	s := success
	switch {
	case prinfo&prGuard != 0 && binary.BigEndian.Uint16(t) != crcT10(crcT10(0, data), before):
		s = nvme.StatusGuardCheck
	case prinfo&prAppTag != 0 && app&mask != uint16(r.cmd.CDW15)&mask:
		s = nvme.StatusAppTagCheck
	case prinfo&prRefTag != 0 && kind != 3 && ref != r.cmd.CDW14+i:
		s = nvme.StatusRefTagCheck
	}
	return s
}

// verifyProtection checks blocks without a transfer.
func (n *Namespace) verifyProtection(r *request, lba, count uint64) nvme.Status {
	if n.pi&piTypeMask == 0 {
		return success
	}
	data, meta := make([]byte, n.blockSize()), make([]byte, n.metaSize())
	for i := range count {
		s := n.readBlock(lba+i, data, meta)
		if s == success {
			s = n.checkTuple(r, uint32(i), data, meta)
		}
		if s != success {
			r.lba = lba + i
			return s
		}
	}
	return success
}

// crcT10 is the guard: CRC-16 of T10 DIF, polynomial 8BB7h.
func crcT10(crc uint16, b []byte) uint16 {
	for _, v := range b {
		crc ^= uint16(v) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			crc <<= 1
			if carry {
				crc ^= 0x8bb7
			}
		}
	}
	return crc
}

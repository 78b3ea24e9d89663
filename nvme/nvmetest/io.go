package nvmetest

import (
	"bytes"
	"encoding/binary"

	"github.com/drivebay/drivebay/nvme"
)

// Limits of a Copy: MSSRL and MCL in logical blocks, MSRC in ranges.
const (
	copyRangeLength = 256
	copyLength      = 1024
	copyRanges      = 16
)

// span returns the logical blocks that the command is about, if they exist and
// can be had now.
func (r *request) span() (lba, n uint64, s nvme.Status) {
	lba = uint64(r.cmd.CDW10) | uint64(r.cmd.CDW11)<<32
	n = uint64(r.cmd.CDW12&0xffff) + 1
	return lba, n, r.within(lba, n)
}

// within checks that blocks exist and can be had now.
func (r *request) within(lba, n uint64) nvme.Status {
	if s := r.ns.ready(); s != success {
		return s
	}
	if lba >= r.ns.blocks || n > r.ns.blocks-lba {
		r.lba = lba
		return r.locate(byteCDW10, 0, lbaOutOfRange)
	}
	return success
}

// readable checks that the media of the blocks can be read.
func (r *request) readable(lba, n uint64) nvme.Status {
	ns := r.ns
	if bad, ok := ns.bad.first(lba, n); ok {
		r.lba = bad
		return nvme.StatusUnrecoveredRead
	}
	if ns.recovery&(1<<16) != 0 { // DULBE
		if empty, ok := ns.written.firstMissing(lba, n); ok {
			r.lba = empty
			return nvme.StatusUnwritten.WithDNR()
		}
	}
	return success
}

// readSpan is span for commands that read.
func (r *request) readSpan() (lba, n uint64, s nvme.Status) {
	if lba, n, s = r.span(); s != success {
		return lba, n, s
	}
	return lba, n, r.ns.reserved.allowsRead(r)
}

// read carries out a Read: NVM Command Set 1.0, 3.2.4.
func read(r *request) nvme.Status {
	lba, n, s := r.readSpan()
	if s != success {
		return s
	}
	if s := r.ns.checkBuffers(r, n); s != success {
		return s
	}
	if s := r.readable(lba, n); s != success {
		return s
	}
	return r.load(lba, n)
}

// write carries out a Write: NVM Command Set 1.0, 3.2.6.
func write(r *request) nvme.Status {
	lba, n, s := r.writeSpan()
	if s != success {
		return s
	}
	if dtype := r.cmd.CDW12 >> 20 & 0xf; dtype > 1 {
		return r.invalid(12, 20)
	}
	if s := r.ns.checkBuffers(r, n); s != success {
		return s
	}
	if s := r.cached(func() nvme.Status { return r.store(lba, n) }); s != success {
		return s
	}
	r.ns.written.add(lba, n)
	r.ns.bad.remove(lba, n)
	return success
}

// writeSpan is span for commands that write.
func (r *request) writeSpan() (lba, n uint64, s nvme.Status) {
	if lba, n, s = r.span(); s != success {
		return lba, n, s
	}
	if s := r.ns.writable(); s != success {
		return lba, n, s
	}
	return lba, n, r.ns.reserved.allowsWrite(r)
}

// compare carries out a Compare: NVM Command Set 1.0, 3.2.1.
func compare(r *request) nvme.Status {
	lba, n, s := r.readSpan()
	if s != success {
		return s
	}
	if s := r.ns.checkBuffers(r, n); s != success {
		return s
	}
	if s := r.readable(lba, n); s != success {
		return s
	}
	theirs := r.cmd
	r.cmd.Data, r.cmd.Metadata = make([]byte, len(theirs.Data)), make([]byte, len(theirs.Metadata))
	s = r.load(lba, n)
	same := bytes.Equal(theirs.Data, r.cmd.Data) && bytes.Equal(theirs.Metadata, r.cmd.Metadata)
	r.cmd = theirs
	if s == success && !same {
		return nvme.StatusCompareFailure.WithDNR()
	}
	return s
}

// verify carries out a Verify: NVM Command Set 1.0, 3.2.5.
func verify(r *request) nvme.Status {
	lba, n, s := r.readSpan()
	if s != success {
		return s
	}
	if exceeds(n*uint64(r.ns.blockSize()), r.c.drive.profile.NVM.VerifyLimit, r) {
		return sizeLimit
	}
	if s := r.readable(lba, n); s != success {
		return s
	}
	return r.ns.verifyProtection(r, lba, n)
}

// exceeds reports whether size is above a limit that is a power of two of
// memory pages; 0 is none.
func exceeds(size uint64, limit uint8, r *request) bool {
	return limit != 0 && size > uint64(r.c.drive.profile.PageSize)<<limit
}

// writeZeroes carries out a Write Zeroes: NVM Command Set 1.0, 3.2.8.
func writeZeroes(r *request) nvme.Status {
	lba, n, s := r.writeSpan()
	if s != success {
		return s
	}
	if exceeds(n*uint64(r.ns.blockSize()), r.c.drive.profile.NVM.WriteZeroesLimit, r) {
		return sizeLimit
	}
	if deallocate := r.cmd.CDW12&(1<<25) != 0; deallocate {
		return r.ns.deallocate(lba, n)
	}
	r.ns.bad.remove(lba, n)
	r.ns.written.add(lba, n)
	return r.cached(func() nvme.Status { return r.ns.zero(lba, n) })
}

// zeros is never written to.
var zeros [chunkSize]byte

// zero writes zeros.
func (n *Namespace) zero(lba, count uint64) nvme.Status {
	bs, ms := int64(n.blockSize()), int64(n.metaSize())
	for off, end := int64(lba)*bs, int64(lba+count)*bs; off < end; off += chunkSize {
		if _, err := n.media.WriteAt(zeros[:min(chunkSize, end-off)], off); err != nil {
			return nvme.StatusWriteFault
		}
	}
	for off, end := int64(lba)*ms, int64(lba+count)*ms; off < end; off += chunkSize {
		_, _ = n.meta.WriteAt(zeros[:min(chunkSize, end-off)], off)
	}
	return success
}

// deallocate deallocates blocks, which then read as zeros. Media that is not ours
// gets the zeros. A cache is written back first, as it cannot take this back.
func (n *Namespace) deallocate(lba, count uint64) nvme.Status {
	n.settle()
	bs, ms := int64(n.blockSize()), int64(n.metaSize())
	n.bad.remove(lba, count)
	n.written.remove(lba, count)
	n.meta.discard(int64(lba)*ms, int64(count)*ms)
	if n.memory == nil {
		return n.zero(lba, count)
	}
	n.memory.discard(int64(lba)*bs, int64(count)*bs)
	return success
}

// writeUncorrectable carries out a Write Uncorrectable: NVM Command Set 1.0,
// 3.2.7.
func writeUncorrectable(r *request) nvme.Status {
	lba, n, s := r.writeSpan()
	if s != success {
		return s
	}
	if exceeds(n*uint64(r.ns.blockSize()), r.c.drive.profile.NVM.WriteUncorrectableLimit, r) {
		return sizeLimit
	}
	r.ns.written.add(lba, n)
	r.ns.bad.add(lba, n)
	return success
}

// datasetManagement carries out a Dataset Management: NVM Command Set 1.0,
// 3.2.3. All but deallocation is advice.
func datasetManagement(r *request) nvme.Status {
	n := int(r.cmd.CDW10&0xff) + 1
	if s := r.transfer(16 * n); s != success {
		return s
	}
	if s := r.ns.ready(); s != success {
		return s
	}
	limits, total := &r.c.drive.profile.NVM, uint64(0)
	if limits.DatasetRanges != 0 && n > int(limits.DatasetRanges) {
		return sizeLimit
	}
	for b := r.cmd.Data; len(b) > 0; b = b[16:] {
		count, lba := uint64(binary.LittleEndian.Uint32(b[4:])), binary.LittleEndian.Uint64(b[8:])
		total += count
		if limits.DatasetRangeSize != 0 && count > uint64(limits.DatasetRangeSize) {
			return sizeLimit
		}
		if s := r.within(lba, count); s != success {
			return s
		}
	}
	if limits.DatasetSize != 0 && total > limits.DatasetSize {
		return sizeLimit
	}
	if deallocate := r.cmd.CDW11&4 != 0; !deallocate {
		return success
	}
	if s := r.ns.writable(); s != success {
		return s
	}
	if s := r.ns.reserved.allowsWrite(r); s != success {
		return s
	}
	for b := r.cmd.Data; len(b) > 0; b = b[16:] {
		count, lba := uint64(binary.LittleEndian.Uint32(b[4:])), binary.LittleEndian.Uint64(b[8:])
		if s := r.ns.deallocate(lba, count); s != success {
			return s
		}
	}
	return success
}

// copyBlocks carries out a Copy with descriptors of format 0: NVM Command Set
// 1.0, 3.2.2. In an error, DW0 has the number of the first range not copied.
func copyBlocks(r *request) nvme.Status {
	n := int(r.cmd.CDW12&0xff) + 1
	if format := r.cmd.CDW12 >> 8 & 0xf; format != 0 {
		return r.invalid(12, 8)
	}
	if s := r.transfer(32 * n); s != success {
		return s
	}
	if n > copyRanges {
		return sizeLimit
	}
	to := uint64(r.cmd.CDW10) | uint64(r.cmd.CDW11)<<32
	total := uint64(0)
	for i := range n {
		lba, count := copyRange(r.cmd.Data[32*i:])
		r.result = uint64(i)
		total += count
		if count > copyRangeLength || total > copyLength {
			return sizeLimit
		}
		if s := r.within(lba, count); s != success {
			return s
		}
		if s := r.readable(lba, count); s != success {
			return s
		}
	}
	r.result = 0
	for _, check := range []nvme.Status{r.within(to, total), r.ns.writable(), r.ns.reserved.allowsWrite(r)} {
		if check != success {
			return check
		}
	}
	return r.cached(func() nvme.Status { return r.copyRanges(to, n) })
}

func copyRange(b []byte) (lba, count uint64) {
	return binary.LittleEndian.Uint64(b[8:]), uint64(binary.LittleEndian.Uint16(b[16:])) + 1
}

// copyRanges copies all sources before it writes any: they may overlap with
// where they go.
func (r *request) copyRanges(to uint64, ranges int) nvme.Status {
	ns := r.ns
	bs, ms := int64(ns.blockSize()), int64(ns.metaSize())
	var data, meta []byte
	for i := range ranges {
		lba, count := copyRange(r.cmd.Data[32*i:])
		d, m := make([]byte, int64(count)*bs), make([]byte, int64(count)*ms)
		for j := range int64(count) {
			if s := ns.readBlock(lba+uint64(j), d[j*bs:][:bs], m[j*ms:][:ms]); s != success {
				r.result = uint64(i)
				return s
			}
		}
		data, meta = append(data, d...), append(meta, m...)
	}
	if _, err := ns.media.WriteAt(data, int64(to)*bs); err != nil {
		return nvme.StatusWriteFault
	}
	_, _ = ns.meta.WriteAt(meta, int64(to)*ms)
	count := uint64(len(data)) / uint64(bs)
	ns.written.add(to, count)
	ns.bad.remove(to, count)
	return success
}

// flush carries out a Flush: NVMe Base 2.0, 7.1. VWC says whether it takes all
// namespaces at once.
func flush(r *request) nvme.Status {
	if r.cmd.NSID == nvme.BroadcastNSID && r.c.drive.profile.Controller.VolatileWriteCache>>1&3 != 3 {
		return r.locate(byteNSID, 0, invalidNamespace)
	}
	if r.ns != nil {
		if s := r.ns.ready(); s != success {
			return s
		}
		r.ns.settle()
		return success
	}
	for _, ns := range r.c.drive.namespaces {
		if ns != nil && ns.attachedTo(r.c) {
			ns.settle()
		}
	}
	return success
}

// getLBAStatus carries out a Get LBA Status: NVM Command Set 1.0, 4.2.1. What it
// finds are the blocks that cannot be read.
func getLBAStatus(r *request) nvme.Status {
	lba := uint64(r.cmd.CDW10) | uint64(r.cmd.CDW11)<<32
	size := (uint64(r.cmd.CDW12) + 1) * 4
	length := uint64(r.cmd.CDW13 & 0xffff)
	if kind := r.cmd.CDW13 >> 24; kind != 0x10 && kind != 0x11 {
		return r.invalid(13, 24)
	}
	if uint64(len(r.cmd.Data)) != size || size < 8 {
		return invalidLength
	}
	if length == 0 {
		length = r.ns.blocks - min(lba, r.ns.blocks)
	}
	if s := r.within(lba, length); s != success {
		return s
	}
	clear(r.cmd.Data)
	n := uint32(0)
	for end := lba + length; lba < end && int(n)*16+24 <= len(r.cmd.Data); n++ {
		first, ok := r.ns.bad.first(lba, end-lba)
		if !ok {
			break
		}
		next, ok := r.ns.bad.firstMissing(first, end-first)
		if !ok {
			next = end
		}
		entry := r.cmd.Data[8+16*n:]
		binary.LittleEndian.PutUint64(entry, first)
		binary.LittleEndian.PutUint32(entry[8:], uint32(next-first-1))
		entry[13] = 1 // the range may be unrecoverable
		lba = next
	}
	binary.LittleEndian.PutUint32(r.cmd.Data, n)
	return success
}

package tcptarget

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"time"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// send sends a PDU of the target. It fills in what PLEN, PDO, flags and digests
// depend on.
func (q *queue) send(size int, walk func(w *wire.Walker), data []byte) error {
	return q.sendDamaged(size, walk, data, damage{})
}

// sendDamaged is send with what goes wrong by a fault.
func (q *queue) sendDamaged(size int, walk func(w *wire.Walker), data []byte, d damage) error {
	b := make([]byte, size, 256)
	if err := wire.Encode(b, walk); err != nil {
		return err
	}
	kind := pduType(b[0])
	digests := kind == typeCapsuleRsp || kind == typeC2HData || kind == typeR2T
	var tail []byte
	if digests {
		b[1] |= q.flags(len(data) > 0)
		if q.dataDigest && len(data) > 0 {
			tail = binary.LittleEndian.AppendUint32(nil, digest(data))
		}
	}
	end := size
	if digests && q.headerDigest {
		end += digestSize
	}
	if kind == typeC2HData {
		end = (end + q.hostAlignment - 1) / q.hostAlignment * q.hostAlignment
		b[3] = uint8(end)
	}
	b = append(b, make([]byte, end-size)...)
	binary.LittleEndian.PutUint32(b[4:], uint32(end+len(data)+len(tail)))
	if digests && q.headerDigest {
		sum := digest(b[:size])
		if d.header {
			sum = ^sum
		}
		binary.LittleEndian.PutUint32(b[size:], sum)
	}
	if d.data && len(tail) > 0 {
		tail[0] ^= 0xff
	}
	if d.cut {
		whole := slices.Concat(b, data, tail)
		if err := q.transmit(whole[:len(whole)/2], nil, nil); err != nil {
			return err
		}
		return errDropped
	}
	return q.transmit(b, data, tail)
}

// transmit writes a PDU to the connection.
func (q *queue) transmit(head, data, tail []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, _ = q.out.Write(head) // an error comes again from Flush
	_, _ = q.out.Write(data)
	_, _ = q.out.Write(tail)
	return q.out.Flush()
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// digest is CRC32C: NVMe TCP Transport 1.0, 3.1.1.
func digest(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// respond completes a command.
func (q *queue) respond(cid uint16, done nvme.Completion) error {
	return q.respondDamaged(cid, done, damage{})
}

func (q *queue) respondDamaged(cid uint16, done nvme.Completion, d damage) error {
	q.mu.Lock()
	delete(q.open, cid)
	q.mu.Unlock()
	return q.sendResponse(cid, done, d)
}

func (q *queue) sendResponse(cid uint16, done nvme.Completion, d damage) error {
	p := responsePDU{commonHeader: commonHeader{Type: typeCapsuleRsp, HeaderSize: responseSize},
		Entry: wire.CQE{Result: done.Result, CID: cid, Status: uint16(done.Status) << 1}}
	q.mu.Lock()
	if q.flow {
		p.Entry.SQHD = q.head
	}
	q.mu.Unlock()
	return q.sendDamaged(responseSize, p.walk, nil, d)
}

// sendData sends a command's data.
func (q *queue) sendData(cid uint16, data []byte, d damage) error {
	p := dataPDU{commonHeader: commonHeader{Type: typeC2HData, Flags: flagLast, HeaderSize: dataHeaderSize},
		CommandID: cid, Length: uint32(len(data))}
	return q.sendDamaged(dataHeaderSize, p.walk, data, d)
}

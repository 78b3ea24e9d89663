package nvme

import (
	"encoding/binary"
	"time"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// HostMemoryBuffer is the Host Memory Buffer feature (0Dh). The memory is the
// kernel's, which sets the feature itself: setting it from here is for
// emulated drives.
type HostMemoryBuffer struct {
	Enabled     bool   // EHM
	Return      bool   // MR, when set: the memory is one that the controller had before
	Size        uint32 // HSIZE: memory pages
	Descriptors uint64 // HMDLAL, HMDLAU: address of the descriptor list, a multiple of 16
	Count       uint32 // HMDLEC: entries of the descriptor list
}

// ID returns FeatureHostMemoryBuffer.
func (*HostMemoryBuffer) ID() FeatureID       { return FeatureHostMemoryBuffer }
func (*HostMemoryBuffer) query() featureQuery { return featureQuery{size: 4096} }

func (f *HostMemoryBuffer) decode(dw0 uint32, data []byte) error {
	*f = HostMemoryBuffer{
		Enabled:     dw0&1 != 0,
		Size:        binary.LittleEndian.Uint32(data),
		Descriptors: binary.LittleEndian.Uint64(data[4:]),
		Count:       binary.LittleEndian.Uint32(data[12:]),
	}
	return nil
}

func (f *HostMemoryBuffer) encode() (featureValue, error) {
	if f.Descriptors%16 != 0 {
		return featureValue{}, &ArgumentError{"set features", "Descriptors", f.Descriptors, "a multiple of 16"}
	}
	return featureValue{
		cdw11: bit(f.Enabled, 0) | bit(f.Return, 1), cdw12: f.Size,
		cdw13: lo(f.Descriptors), cdw14: hi(f.Descriptors), cdw15: f.Count,
	}, nil
}

// ID returns FeatureTimestamp.
func (*Timestamp) ID() FeatureID       { return FeatureTimestamp }
func (*Timestamp) query() featureQuery { return featureQuery{size: 8} }

func (t *Timestamp) decode(_ uint32, data []byte) error { return Decode(data, t) }

// encode leaves the attributes out: they are the controller's to tell.
func (t *Timestamp) encode() (featureValue, error) {
	data, err := Encode(&Timestamp{Milliseconds: t.Milliseconds})
	return featureValue{data: data}, err
}

// TimestampOf returns the value that sets a drive's Timestamp to t. Before 1970
// and from 10889 on there is none: the number of milliseconds then has more
// than 48 bits, and setting it fails.
func TimestampOf(t time.Time) Timestamp { return Timestamp{Milliseconds: uint64(t.UnixMilli())} }

// HostBehavior is the Host Behavior Support feature (16h): what the host is
// able to deal with.
type HostBehavior struct {
	AdvancedCommandRetry bool // ACRE: status Command Interrupted, and CRD
	TelemetryArea4       bool // ETDAS: data area 4 of telemetry
	ExtendedLBAFormats   bool // LBAFEE: more than 16 LBA formats
}

func (*HostBehavior) size() int { return 512 }

func (f *HostBehavior) walk(w *wire.Walker) {
	walkBool(w, 0, &f.AdvancedCommandRetry)
	walkBool(w, 1, &f.TelemetryArea4)
	walkBool(w, 2, &f.ExtendedLBAFormats)
	w.Reserved(3, 509)
}

// walkBool visits a byte with one bit, bit 0.
func walkBool(w *wire.Walker, off int, p *bool) {
	raw := w.Area(off, 1, p)
	switch {
	case w.Decoding():
		*p = raw[0]&1 != 0
	case w.Encoding():
		raw[0] = byte(bit(*p, 0))
	}
}

// ID returns FeatureHostBehavior.
func (*HostBehavior) ID() FeatureID       { return FeatureHostBehavior }
func (*HostBehavior) query() featureQuery { return featureQuery{size: 512} }

func (f *HostBehavior) decode(_ uint32, data []byte) error { return Decode(data, f) }

func (f *HostBehavior) encode() (featureValue, error) {
	data, err := Encode(f)
	return featureValue{data: data}, err
}

// HostID is the Host Identifier feature (81h), of 64 or of 128 bits.
type HostID struct {
	Extended bool     // EXHID: 128 bits; say so when it is read too
	ID128    [16]byte // as on the wire; the first 8 bytes, unless Extended
}

// ID returns FeatureHostID.
func (*HostID) ID() FeatureID { return FeatureHostID }

func (f *HostID) length() int {
	if f.Extended {
		return 16
	}
	return 8
}

func (f *HostID) query() featureQuery {
	return featureQuery{cdw11: bit(f.Extended, 0), size: f.length()}
}

func (f *HostID) decode(_ uint32, data []byte) error {
	f.ID128 = [16]byte{}
	copy(f.ID128[:], data)
	return nil
}

func (f *HostID) encode() (featureValue, error) {
	return featureValue{cdw11: bit(f.Extended, 0), data: append([]byte(nil), f.ID128[:f.length()]...)}, nil
}

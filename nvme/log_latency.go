package nvme

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// PredictableLatencyLog is the Predictable Latency Per NVM Set log (0Ah): NVMe Base
// 2.0, 5.16.1.11. Times are in milliseconds; reads in units of 4 KiB, writes in
// units of the optimal write size.
type PredictableLatencyLog struct {
	Status          uint8         `json:"status"`     // bits 2:0: 0 not used, 1 deterministic, 2 non-deterministic window
	Events          LatencyEvents `json:"event_type"` // what has happened since the log was read
	TypicalReads    uint64        `json:"dtwin_reads_typical"`
	TypicalWrites   uint64        `json:"dtwin_writes_typical"`
	MaxTime         uint64        `json:"dtwin_time_maximum"`
	MinTimeHigh     uint64        `json:"ndwin_time_minimum_high"` // in the non-deterministic window, to get a full deterministic one
	MinTimeLow      uint64        `json:"ndwin_time_minimum_low"`  // before the next deterministic one at all
	EstimatedReads  uint64        `json:"dtwin_reads_estimate"`    // that are left of the window
	EstimatedWrites uint64        `json:"dtwin_writes_estimate"`
	EstimatedTime   uint64        `json:"dtwin_time_estimate"`
}

// LatencyEvents are events of an NVM set in predictable latency mode.
type LatencyEvents uint16

// Bits of LatencyEvents.
const (
	WarnReads         LatencyEvents = 1 << 0  // few reads are left of the window
	WarnWrites        LatencyEvents = 1 << 1  // few writes are left of the window
	WarnTime          LatencyEvents = 1 << 2  // little time is left of the window
	ExceededTypical   LatencyEvents = 1 << 14 // the window ended for more reads, writes or time than are typical
	ExcursionToNonDet LatencyEvents = 1 << 15 // the window ended for what the drive had to do
)

// String names the bits.
func (e LatencyEvents) String() string {
	return flagText(uint64(e), "reads", "writes", "time", "", "", "", "", "", "", "", "", "", "", "", "exceeded", "excursion")
}

func (*PredictableLatencyLog) size() int { return 512 }

func (l *PredictableLatencyLog) walk(w *wire.Walker) {
	wire.U8(w, 0, &l.Status)
	w.Reserved(1, 1)
	wire.U16(w, 2, &l.Events)
	w.Reserved(4, 28)
	wire.U64(w, 32, &l.TypicalReads)
	wire.U64(w, 40, &l.TypicalWrites)
	wire.U64(w, 48, &l.MaxTime)
	wire.U64(w, 56, &l.MinTimeHigh)
	wire.U64(w, 64, &l.MinTimeLow)
	w.Reserved(72, 56)
	wire.U64(w, 128, &l.EstimatedReads)
	wire.U64(w, 136, &l.EstimatedWrites)
	wire.U64(w, 144, &l.EstimatedTime)
	w.Reserved(152, 360)
}

// PredictableLatency returns how an NVM set fares in predictable latency mode. It
// clears the set's event.
func (c *Controller) PredictableLatency(ctx context.Context, set uint16) (*PredictableLatencyLog, error) {
	return log[PredictableLatencyLog](ctx, c, LogPageRequest{ID: LogPredictableLatency, SpecificID: set})
}

// PredictableLatencyEvents returns the NVM sets that have a predictable latency
// event pending: log 0Bh, NVMe Base 2.0, 5.16.1.12.
func (c *Controller) PredictableLatencyEvents(ctx context.Context) ([]uint16, error) {
	return c.eventAggregate(ctx, LogPredictableEvents)
}

// EnduranceGroupEvents returns the endurance groups that have an event pending: log
// 0Fh, NVMe Base 2.0, 5.16.1.15.
func (c *Controller) EnduranceGroupEvents(ctx context.Context) ([]uint16, error) {
	return c.eventAggregate(ctx, LogEnduranceEvents)
}

func (c *Controller) eventAggregate(ctx context.Context, id LogPageID) ([]uint16, error) {
	page, err := c.logOf(ctx, LogPageRequest{ID: id}, 8, func(head []byte) uint64 {
		return 8 + 2*min(binary.LittleEndian.Uint64(head), 1<<16)
	})
	if err != nil {
		return nil, err
	}
	return DecodeEventAggregate(page)
}

// DecodeEventAggregate decodes a log page of events: the identifiers of NVM sets or
// of endurance groups.
func DecodeEventAggregate(b []byte) ([]uint16, error) {
	if len(b) < 8 {
		return nil, &DecodeError{"EventAggregate", fmt.Sprintf("%d bytes, want 8 or more", len(b))}
	}
	n := binary.LittleEndian.Uint64(b)
	if b = b[8:]; n > uint64(len(b)/2) {
		return nil, &DecodeError{"EventAggregate", fmt.Sprintf("%d entries reach past the page", n)}
	}
	var ids []uint16
	for ; n > 0; n, b = n-1, b[2:] {
		ids = append(ids, binary.LittleEndian.Uint16(b))
	}
	return ids, nil
}

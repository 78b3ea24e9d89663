package nvme

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// ReservationType is the type of a reservation: NVMe Base 2.0, 8.19.
type ReservationType uint8

// Reservation types. Zero is none.
const (
	WriteExclusive                 ReservationType = 1
	ExclusiveAccess                ReservationType = 2
	WriteExclusiveRegistrantsOnly  ReservationType = 3
	ExclusiveAccessRegistrantsOnly ReservationType = 4
	WriteExclusiveAllRegistrants   ReservationType = 5
	ExclusiveAccessAllRegistrants  ReservationType = 6
)

// RegisterAction is what Reservation Register does (RREGA).
type RegisterAction uint8

// Register actions.
const (
	RegisterKey   RegisterAction = 0
	UnregisterKey RegisterAction = 1
	ReplaceKey    RegisterAction = 2
)

// PersistChange changes whether reservations live through a loss of power
// (CPTPL).
type PersistChange uint8

// Persist changes.
const (
	PersistUnchanged PersistChange = 0
	PersistOff       PersistChange = 2
	PersistOn        PersistChange = 3
)

// ReservationRegister are the parameters of Reservation Register: NVMe Base
// 2.0, 7.6.
type ReservationRegister struct {
	Action    RegisterAction
	Key       uint64 // CRKEY: the current one, to unregister or to replace
	NewKey    uint64 // NRKEY: to register or to replace
	IgnoreKey bool   // IEKEY: Key may be wrong
	Persist   PersistChange
}

// RegisterReservation registers, unregisters or replaces a reservation key.
func (n *Namespace) RegisterReservation(ctx context.Context, r ReservationRegister) error {
	switch {
	case r.Action > ReplaceKey:
		return &ArgumentError{"reservation register", "Action", r.Action, "one of the constants"}
	case r.Persist == 1 || r.Persist > PersistOn:
		return &ArgumentError{"reservation register", "Persist", r.Persist, "one of the constants"}
	}
	return n.reserve(ctx, IOReservationRegister,
		uint32(r.Action)|bit(r.IgnoreKey, 3)|uint32(r.Persist)<<30, r.Key, r.NewKey)
}

// AcquireAction is what Reservation Acquire does (RACQA).
type AcquireAction uint8

// Acquire actions.
const (
	AcquireReservation AcquireAction = 0
	PreemptReservation AcquireAction = 1
	PreemptAndAbort    AcquireAction = 2
)

// ReservationAcquire are the parameters of Reservation Acquire: NVMe Base 2.0,
// 7.5.
type ReservationAcquire struct {
	Action     AcquireAction
	Type       ReservationType
	Key        uint64 // CRKEY: the one registered
	PreemptKey uint64 // PRKEY: to preempt
	IgnoreKey  bool   // IEKEY
}

// AcquireReservation acquires or preempts a reservation.
func (n *Namespace) AcquireReservation(ctx context.Context, r ReservationAcquire) error {
	if r.Action > PreemptAndAbort {
		return &ArgumentError{"reservation acquire", "Action", r.Action, "one of the constants"}
	}
	if err := r.Type.check("reservation acquire"); err != nil {
		return err
	}
	return n.reserve(ctx, IOReservationAcquire,
		uint32(r.Action)|bit(r.IgnoreKey, 3)|uint32(r.Type)<<8, r.Key, r.PreemptKey)
}

// ReservationRelease are the parameters of Reservation Release: NVMe Base 2.0,
// 7.7.
type ReservationRelease struct {
	Clear     bool            // RRELA: clear it with all registrations, rather than release it
	Type      ReservationType // of the reservation held, to release it
	Key       uint64          // CRKEY: the one registered
	IgnoreKey bool            // IEKEY
}

// ReleaseReservation releases or clears a reservation.
func (n *Namespace) ReleaseReservation(ctx context.Context, r ReservationRelease) error {
	if !r.Clear || r.Type != 0 {
		if err := r.Type.check("reservation release"); err != nil {
			return err
		}
	}
	return n.reserve(ctx, IOReservationRelease, bit(r.Clear, 0)|bit(r.IgnoreKey, 3)|uint32(r.Type)<<8, r.Key)
}

func (t ReservationType) check(op string) error {
	if t < WriteExclusive || t > ExclusiveAccessAllRegistrants {
		return &ArgumentError{op, "Type", uint8(t), "one of the constants"}
	}
	return nil
}

func (n *Namespace) reserve(ctx context.Context, opcode Opcode, cdw10 uint32, keys ...uint64) error {
	var data []byte
	for _, key := range keys {
		data = binary.LittleEndian.AppendUint64(data, key)
	}
	_, err := n.c.Do(ctx, Command{Queue: IOQueue, Opcode: opcode, NSID: n.id, CDW10: cdw10, Data: data})
	return err
}

// ReservationStatus is who has registered, and what is reserved: NVMe Base 2.0,
// 7.8, with 128-bit host identifiers.
type ReservationStatus struct {
	Generation  uint32 // counts registrations, preemptions and the like
	Type        ReservationType
	PowerLoss   uint8 // PTPLS: 1, reservations live through a loss of power
	Registrants []Registrant
}

// Registrant is a controller that has registered.
type Registrant struct {
	ControllerID uint16 // FFFFh: not of this NVM subsystem
	Holder       bool   // holds the reservation
	Key          uint64
	HostID       [16]byte
}

func (*Registrant) size() int { return 64 }

func (r *Registrant) walk(w *wire.Walker) {
	wire.U16(w, 0, &r.ControllerID)
	walkBool(w, 2, &r.Holder)
	w.Reserved(3, 5)
	wire.U64(w, 8, &r.Key)
	w.Bytes(16, r.HostID[:])
	w.Reserved(32, 32)
}

// Reservations returns the registrants of the namespace, and the reservation.
// More than 63 registrants take a second command.
func (n *Namespace) Reservations(ctx context.Context) (*ReservationStatus, error) {
	page := make([]byte, 4096)
	for {
		_, err := n.c.Do(ctx, Command{
			Queue: IOQueue, Opcode: IOReservationReport, NSID: n.id,
			CDW10: uint32(len(page)/4 - 1), CDW11: 1, Data: page, // EDS: the extended structure
		})
		if err != nil {
			return nil, err
		}
		if need := 64 + 64*int(binary.LittleEndian.Uint16(page[5:])); need > len(page) {
			if err := n.c.checkTransfer(ctx, "reservation report", need); err != nil {
				return nil, err
			}
			page = make([]byte, need)
			continue
		}
		return decodeReservations(page)
	}
}

func decodeReservations(page []byte) (*ReservationStatus, error) {
	if len(page) < 64 {
		return nil, &DecodeError{"ReservationStatus", fmt.Sprintf("%d bytes, want 64 or more", len(page))}
	}
	s := &ReservationStatus{
		Generation: binary.LittleEndian.Uint32(page), Type: ReservationType(page[4]), PowerLoss: page[9],
	}
	count := int(binary.LittleEndian.Uint16(page[5:]))
	page = page[64:]
	if 64*count > len(page) {
		return nil, &DecodeError{"ReservationStatus", fmt.Sprintf("%d registrants reach past the page", count)}
	}
	for range count {
		var r Registrant
		if err := Decode(page, &r); err != nil {
			return nil, err
		}
		s.Registrants = append(s.Registrants, r)
		page = page[64:]
	}
	return s, nil
}

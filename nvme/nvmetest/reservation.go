package nvmetest

import (
	"encoding/binary"
	"slices"

	"github.com/drivebay/drivebay/nvme"
)

// reservations are those of a namespace: NVMe Base 2.0, 8.19. Hosts are told
// apart by their Host Identifier, or by their controller while it is not set.
type reservations struct {
	generation  uint32
	registrants []registrant // in the order of registration
	kind        nvme.ReservationType
	holder      hostKey // of a kind that has one
	persist     bool    // through a loss of power (PTPL)
	masks       map[uint16]uint32
}

type registrant struct {
	host       hostKey
	controller uint16
	key        uint64
}

// hostKey tells hosts apart.
type hostKey struct {
	id         [16]byte
	controller uint16 // if id is zero
}

func (c *Controller) host() hostKey {
	if c.hostID == [16]byte{} {
		return hostKey{controller: c.id}
	}
	return hostKey{id: c.hostID}
}

// powerLoss forgets all but what persists.
func (v *reservations) powerLoss() {
	if !v.persist {
		*v = reservations{generation: v.generation}
	}
}

func (v *reservations) find(h hostKey) *registrant {
	for i := range v.registrants {
		if v.registrants[i].host == h {
			return &v.registrants[i]
		}
	}
	return nil
}

// allRegistrants reports whether every registrant holds the reservation.
func (v *reservations) allRegistrants() bool { return v.kind >= nvme.WriteExclusiveAllRegistrants }

func (v *reservations) holds(h hostKey) bool {
	return v.kind != 0 && (v.allRegistrants() && v.find(h) != nil || !v.allRegistrants() && v.holder == h)
}

// allowsWrite refuses a write that a reservation of others forbids: NVMe Base
// 2.0, Figure 442.
func (v *reservations) allowsWrite(r *request) nvme.Status {
	if v.kind == 0 {
		return success
	}
	h := r.c.host()
	if v.holds(h) || v.kind >= nvme.WriteExclusiveRegistrantsOnly && v.find(h) != nil {
		return success
	}
	return nvme.StatusReservationConflict.WithDNR()
}

// allowsRead refuses a read that a reservation of others forbids.
func (v *reservations) allowsRead(r *request) nvme.Status {
	switch v.kind {
	case nvme.ExclusiveAccess, nvme.ExclusiveAccessRegistrantsOnly, nvme.ExclusiveAccessAllRegistrants:
		return v.allowsWrite(r)
	}
	return success
}

// keys returns the keys in the data of a reservation command.
func (r *request) keys(n int) (keys [2]uint64, s nvme.Status) {
	if s := r.transfer(8 * n); s != success {
		return keys, s
	}
	for i := range n {
		keys[i] = binary.LittleEndian.Uint64(r.cmd.Data[8*i:])
	}
	return keys, success
}

const ignoreKey = 1 << 3 // IEKEY

// reservationRegister carries out a Reservation Register: NVMe Base 2.0, 7.6.
func reservationRegister(r *request) nvme.Status {
	v, h := &r.ns.reserved, r.c.host()
	keys, s := r.keys(2)
	if s != success {
		return s
	}
	me := v.find(h)
	persist := nvme.PersistChange(r.cmd.CDW10 >> 30)
	ignore := r.cmd.CDW10&ignoreKey != 0
	switch action := nvme.RegisterAction(r.cmd.CDW10 & 7); {
	case action > nvme.ReplaceKey:
		return r.invalid(10, 0)
	case persist == 1:
		return r.invalid(10, 30)
	case action == nvme.RegisterKey:
		if me != nil && me.key != keys[1] {
			return nvme.StatusReservationConflict.WithDNR()
		}
		if me == nil {
			v.registrants = append(v.registrants, registrant{h, r.c.id, keys[1]})
		}
	case me == nil || !ignore && me.key != keys[0]:
		return nvme.StatusReservationConflict.WithDNR()
	case action == nvme.UnregisterKey:
		r.ns.unregister(h)
	default:
		me.key = keys[1]
	}
	v.generation++
	if persist != nvme.PersistUnchanged {
		v.persist = persist == nvme.PersistOn
	}
	return success
}

// Types of reservation notifications: NVMe Base 2.0, 5.16.1.24.
const (
	noticeRegistration = 1 // preempted
	noticeReleased     = 2
	noticePreempted    = 3
)

// unregister ends a host's registration, and the reservation it holds.
func (n *Namespace) unregister(h hostKey) {
	v := &n.reserved
	held := v.holds(h)
	v.registrants = slices.DeleteFunc(v.registrants, func(g registrant) bool { return g.host == h })
	switch {
	case !held:
	case v.allRegistrants() && len(v.registrants) > 0:
	default:
		n.release(h)
	}
}

// release ends the reservation. Registrants hear of it, where others could not
// write meanwhile.
func (n *Namespace) release(by hostKey) {
	v := &n.reserved
	kind := v.kind
	v.kind, v.holder = 0, hostKey{}
	if kind >= nvme.WriteExclusiveRegistrantsOnly {
		n.tell(noticeReleased, func(g registrant) bool { return g.host != by })
	}
}

// reservationAcquire carries out a Reservation Acquire: NVMe Base 2.0, 7.5.
func reservationAcquire(r *request) nvme.Status {
	v, h := &r.ns.reserved, r.c.host()
	keys, s := r.keys(2)
	if s != success {
		return s
	}
	action, kind := nvme.AcquireAction(r.cmd.CDW10&7), nvme.ReservationType(r.cmd.CDW10>>8)
	me := v.find(h)
	switch {
	case action > nvme.PreemptAndAbort:
		return r.invalid(10, 0)
	case r.cmd.CDW10&ignoreKey != 0: // obsolete, and refused since NVMe 1.4
		return r.invalid(10, 3)
	case kind < nvme.WriteExclusive || kind > nvme.ExclusiveAccessAllRegistrants:
		return r.invalid(10, 8)
	case me == nil || me.key != keys[0]:
		return nvme.StatusReservationConflict.WithDNR()
	case action != nvme.AcquireReservation:
		return r.preempt(keys[1], kind)
	case v.kind == 0:
		v.kind, v.holder = kind, h
	case !v.holds(h) || v.kind != kind:
		return nvme.StatusReservationConflict.WithDNR()
	}
	return success
}

// preempt unregisters who has a key, and takes over a reservation held by it.
func (r *request) preempt(key uint64, kind nvme.ReservationType) nvme.Status {
	ns, h := r.ns, r.c.host()
	v := &ns.reserved
	takesAll := v.kind != 0 && v.allRegistrants() && key == 0
	holderKey := false
	if holder := v.find(v.holder); holder != nil && v.kind != 0 && !v.allRegistrants() {
		holderKey = holder.key == key
	}
	victims := func(g registrant) bool { return g.host != h && (takesAll || g.key == key) }
	found := slices.ContainsFunc(v.registrants, victims)
	if key == 0 && !takesAll {
		return r.invalid(10, 0)
	}
	if !found && !holderKey {
		return nvme.StatusReservationConflict.WithDNR()
	}
	ns.tell(noticeRegistration, victims)
	if holderKey || takesAll {
		ns.tell(noticePreempted, func(g registrant) bool { return victims(g) && (takesAll || g.host == v.holder) })
		v.kind, v.holder = kind, h
	}
	v.registrants = slices.DeleteFunc(v.registrants, victims)
	v.generation++
	return success
}

// reservationRelease carries out a Reservation Release: NVMe Base 2.0, 7.7.
func reservationRelease(r *request) nvme.Status {
	v, h := &r.ns.reserved, r.c.host()
	keys, s := r.keys(1)
	if s != success {
		return s
	}
	action, kind := r.cmd.CDW10&7, nvme.ReservationType(r.cmd.CDW10>>8)
	me := v.find(h)
	switch {
	case action > 1:
		return r.invalid(10, 0)
	case r.cmd.CDW10&ignoreKey != 0:
		return r.invalid(10, 3)
	case me == nil || me.key != keys[0]:
		return nvme.StatusReservationConflict.WithDNR()
	case action == 1: // clear
		r.ns.tell(noticePreempted, func(g registrant) bool { return g.host != h })
		*v = reservations{generation: v.generation + 1, persist: v.persist, masks: v.masks}
	case !v.holds(h): // nothing to release is no error
	case v.kind != kind:
		return r.invalid(10, 8)
	default:
		r.ns.release(h)
	}
	return success
}

// reservationReport carries out a Reservation Report: NVMe Base 2.0, 7.8, with
// 64-bit host identifiers or, by EDS, 128-bit ones.
func reservationReport(r *request) nvme.Status {
	v := &r.ns.reserved
	if uint64(len(r.cmd.Data)) != (uint64(r.cmd.CDW10)+1)*4 {
		return invalidLength
	}
	extended := r.cmd.CDW11&1 != 0
	page := make([]byte, 24, 64*(len(v.registrants)+1))
	if extended {
		page = page[:64]
	}
	binary.LittleEndian.PutUint32(page, v.generation)
	page[4] = uint8(v.kind)
	binary.LittleEndian.PutUint16(page[5:], uint16(len(v.registrants)))
	if v.persist {
		page[9] = 1
	}
	for _, g := range v.registrants {
		entry := nvme.Registrant{ControllerID: g.controller, Holder: v.holds(g.host), Key: g.key, HostID: g.host.id}
		b := encode(&entry)
		if !extended {
			// RKEY and HOSTID change places in the short form.
			short := make([]byte, 24)
			copy(short, b[:8])
			copy(short[8:16], g.host.id[:8])
			binary.LittleEndian.PutUint64(short[16:], g.key)
			b = short
		}
		page = append(page, b...)
	}
	clear(r.cmd.Data[copy(r.cmd.Data, page):])
	return success
}

// tell notifies the controllers of registrants.
func (n *Namespace) tell(kind uint8, whom func(g registrant) bool) {
	for _, g := range n.reserved.registrants {
		if !whom(g) || n.reserved.masks[g.controller]&(1<<kind) != 0 {
			continue
		}
		c := n.drive.controllers[g.controller-1]
		c.notices = append(c.notices, nvme.ReservationNotification{Type: kind, NSID: n.id})
		c.post(EventReservation)
	}
}

// reservationNotice returns the oldest reservation notification.
func (c *Controller) reservationNotice() *nvme.ReservationNotification {
	if len(c.notices) == 0 {
		return new(nvme.ReservationNotification)
	}
	n := c.notices[0]
	n.Count = c.noticeCount + 1
	n.Available = uint8(min(len(c.notices)-1, 255))
	return &n
}

// nextReservationNotice forgets the oldest.
func (c *Controller) nextReservationNotice() {
	if len(c.notices) == 0 {
		return
	}
	c.notices = c.notices[1:]
	c.noticeCount++
	if len(c.notices) > 0 {
		c.post(EventReservation)
	}
}

func setReservationMask(r *request, v uint32, _ []byte) nvme.Status {
	return r.eachNamespace(func(ns *Namespace) {
		if ns.reserved.masks == nil {
			ns.reserved.masks = make(map[uint16]uint32)
		}
		ns.reserved.masks[r.c.id] = v
	})
}

func getReservationMask(r *request, _ []byte) uint32 { return r.ns.reserved.masks[r.c.id] }

func setReservationPersist(r *request, v uint32, _ []byte) nvme.Status {
	return r.eachNamespace(func(ns *Namespace) { ns.reserved.persist = v&1 != 0 })
}

func getReservationPersist(r *request, _ []byte) uint32 {
	if r.ns.reserved.persist {
		return 1
	}
	return 0
}

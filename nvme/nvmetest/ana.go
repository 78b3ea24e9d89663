package nvmetest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/drivebay/drivebay/nvme"
)

// maxANAGroup is ANAGRPMAX of [MultiPath].
const maxANAGroup = 32

// MultiPath is a change of a profile: it gives the drive two controllers, if it
// has fewer, and Asymmetric Namespace Access Reporting: NVMe Base 2.0, 8.1. All
// groups are optimized at first; see [Controller.SetANA].
func MultiPath(p *Profile) {
	id := &p.Controller
	p.Controllers = max(p.Controllers, 2)
	id.MultiPath |= 1<<1 | 1<<3 // several controllers, ANA
	id.ANATransitionTime, id.ANACapabilities = 10, 0x1f
	id.ANAGroupMax, id.ANAGroupCount = maxANAGroup, maxANAGroup
	if id.MaxAllowedNamespaces == 0 {
		id.MaxAllowedNamespaces = id.NamespaceCount
	}
	id.AsyncEvents |= uint32(nvme.NotifyNamespaceAttributes | nvme.NotifyANA)
	if !slices.Contains(p.LogPages, nvme.LogANA) {
		p.LogPages = append(p.LogPages, nvme.LogANA)
	}
}

// reportsANA reports whether the drive has ANA.
func (p *Profile) reportsANA() bool { return p.Controller.MultiPath&(1<<3) != 0 }

// anaState is that of the groups as one controller reaches them.
type anaState struct {
	states  map[uint32]nvme.ANAState // by group; none is optimized
	changes map[uint32]uint64
	count   uint64
}

func (a *anaState) state(group uint32) nvme.ANAState {
	if s, ok := a.states[group]; ok {
		return s
	}
	return nvme.ANAOptimized
}

// SetANA sets how the controller reaches the namespaces of an ANA group, and
// tells the host of it by an event. In another state than optimized and
// non-optimized, I/O commands fail with the status that says so. The state lasts
// through resets. It panics if the drive has no ANA, or the group cannot be.
func (c *Controller) SetANA(group uint32, state nvme.ANAState) {
	d := c.drive
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.profile.reportsANA() || group == 0 || group > d.profile.Controller.ANAGroupMax {
		panic(fmt.Sprintf("nvmetest: ANA group %d, want 1 to ANAGRPMAX, which is %d, of a drive made with MultiPath",
			group, d.profile.Controller.ANAGroupMax))
	}
	a := &c.ana
	if a.state(group) == state {
		return
	}
	if a.states == nil {
		a.states, a.changes = make(map[uint32]nvme.ANAState), make(map[uint32]uint64)
	}
	a.count++
	a.states[group], a.changes[group] = state, a.count
	d.happened(c.id, "ANA group %d is %v", group, state)
	c.post(EventANAChanged)
}

// status is that of I/O to a group: NVMe Base 2.0, 8.1.3.
func (a *anaState) status(group uint32) nvme.Status {
	switch a.state(group) {
	case nvme.ANAPersistentLoss:
		return nvme.StatusANAPersistentLoss
	case nvme.ANAInaccessible:
		return nvme.StatusANAInaccessible
	case nvme.ANAChange:
		return nvme.StatusANATransition
	}
	return success
}

// reachable refuses I/O to a namespace that the controller does not reach now.
func (r *request) reachable() nvme.Status {
	if r.cmd.Queue != nvme.IOQueue {
		return success
	}
	return r.c.ana.status(r.ns.group)
}

// Reachable returns the NSIDs of the namespaces that a host of the controller can
// read and write: those that are attached to it, and that it reaches by ANA.
func (c *Controller) Reachable() (nsids []uint32) {
	c.drive.mu.Lock()
	defer c.drive.mu.Unlock()
	for _, ns := range c.drive.namespaces {
		if ns != nil && ns.attachedTo(c) && c.ana.status(ns.group) == success {
			nsids = append(nsids, ns.id)
		}
	}
	return nsids
}

// anaPage makes up the ANA log page: NVMe Base 2.0, 5.16.1.13. LSP bit 0 leaves
// the namespaces out.
func (c *Controller) anaPage(groupsOnly bool) []byte {
	members := make(map[uint32][]uint32)
	for _, ns := range c.drive.namespaces {
		if ns != nil && ns.attachedTo(c) {
			members[ns.group] = append(members[ns.group], ns.id)
		}
	}
	le := binary.LittleEndian
	page := make([]byte, 16)
	le.PutUint64(page, c.ana.count)
	for _, group := range slices.Sorted(maps.Keys(members)) {
		list := members[group]
		if groupsOnly {
			list = nil
		}
		le.PutUint16(page[8:], le.Uint16(page[8:])+1)
		page = le.AppendUint32(page, group)
		page = le.AppendUint32(page, uint32(len(list)))
		page = le.AppendUint64(page, c.ana.changes[group])
		page = append(page, uint8(c.ana.state(group)))
		page = append(page, make([]byte, 15)...)
		for _, nsid := range list {
			page = le.AppendUint32(page, nsid)
		}
	}
	return page
}

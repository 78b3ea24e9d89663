package nvmetest

import (
	"slices"

	"github.com/drivebay/drivebay/nvme"
)

// namespaceManagement carries out a Namespace Management: NVMe Base 2.0, 5.23.
func namespaceManagement(r *request) nvme.Status {
	switch sel := r.cmd.CDW10 & 0xf; sel {
	case 0:
		return createNamespace(r)
	case 1:
		return deleteNamespace(r)
	}
	return r.invalid(10, 0)
}

// createNamespace creates a namespace, attached to no controller. DW0 has its
// NSID.
func createNamespace(r *request) nvme.Status {
	d := r.c.drive
	if r.cmd.NSID != 0 {
		return r.locate(byteNSID, 0, invalidField)
	}
	if csi := r.cmd.CDW11 >> 24; csi != uint32(nvme.NVMCommandSet) {
		return nvme.StatusCommandSetUnsupported.WithDNR()
	}
	if s := r.transfer(4096); s != success {
		return s
	}
	var o nvme.NamespaceOptions
	if err := nvme.Decode(r.cmd.Data, &o); err != nil {
		return invalidField
	}
	index := int(o.FormattedLBASize&0xf | o.FormattedLBASize>>5&3<<4)
	extended, pi := o.FormattedLBASize&(1<<4) != 0, o.Protection
	if index >= r.c.visibleFormats() || !d.formats[index].Offered() || o.FormattedLBASize&0x80 != 0 {
		return invalidFormat
	}
	if s := d.profile.checkMetadata(d.formats[index], extended, pi&piTypeMask, pi&piFirst != 0); s != success {
		return s
	}
	thin := d.profile.NamespaceFeatures&nvme.ThinProvisioning != 0
	switch {
	case o.Size == 0 || o.Capacity > o.Size || o.ANAGroupID != 0 || o.StorageTagMask != 0:
		return invalidField
	case o.Capacity < o.Size && !thin:
		return nvme.StatusThinProvisioningUnsupported.WithDNR()
	case o.NVMSetID > 1 || o.EnduranceGroupID > 1:
		return invalidField
	}
	bs := uint64(d.formats[index].BlockSize())
	free, _ := d.unallocated().Uint64()
	if o.Capacity > free/bs {
		return nvme.StatusInsufficientCapacity.WithDNR()
	}
	nsid := d.freeNSID()
	if nsid == 0 {
		return nvme.StatusNamespaceIDUnavailable.WithDNR()
	}
	ns := d.newNamespace(nsid, o.Size, index)
	ns.capacity, ns.extended, ns.pi, ns.private = o.Capacity, extended, pi, !o.Shared
	ns.cacheWrites()
	r.result = uint64(nsid)
	d.recordNamespace(r, &o, nsid)
	return success
}

// deleteNamespace deletes one namespace, or all.
func deleteNamespace(r *request) nvme.Status {
	d := r.c.drive
	if s := r.transfer(0); s != success {
		return s
	}
	if r.cmd.CDW11 != 0 {
		return r.invalid(11, 24)
	}
	var doomed []*Namespace
	if r.cmd.NSID == nvme.BroadcastNSID {
		doomed = slices.DeleteFunc(slices.Clone(d.namespaces), func(ns *Namespace) bool { return ns == nil })
	} else {
		if s := r.valid(); s != success {
			return s
		}
		ns := d.namespaces[r.cmd.NSID-1]
		if ns == nil {
			return r.locate(byteNSID, 0, invalidField)
		}
		doomed = []*Namespace{ns}
	}
	for _, ns := range doomed {
		switch {
		case ns.formatting != nil:
			return nvme.StatusFormatInProgress
		case ns.protection != protectNone:
			return nvme.StatusWriteProtected.WithDNR()
		}
	}
	for _, ns := range doomed {
		d.namespaces[ns.id-1] = nil
		for _, c := range d.controllers {
			if ns.attachedTo(c) {
				c.selfTest.abortFor(c, ns.id, nvme.SelfTestAbortedNamespace)
				if c != r.c { // the host that has asked for it knows
					c.namespaceChanged(ns.id)
				}
			}
		}
	}
	d.recordNamespace(r, &nvme.NamespaceOptions{}, r.cmd.NSID)
	return success
}

// recordNamespace writes a persistent event.
func (d *Drive) recordNamespace(r *request, o *nvme.NamespaceOptions, nsid uint32) {
	d.persistent.add(d, r.c.id, nvme.EventChangeNamespace, &nvme.ChangeNamespaceEvent{
		CDW10: r.cmd.CDW10, Size: o.Size, Capacity: o.Capacity, FormattedLBASize: o.FormattedLBASize,
		Protection: o.Protection, NSID: nsid})
}

// namespaceAttachment carries out a Namespace Attachment: NVMe Base 2.0, 5.22.
// It does all that it is asked for, or nothing.
func namespaceAttachment(r *request) nvme.Status {
	d := r.c.drive
	attach := r.cmd.CDW10&0xf == 0
	if r.cmd.CDW10&0xf > 1 {
		return r.invalid(10, 0)
	}
	if s := r.transfer(4096); s != success {
		return s
	}
	if s := r.valid(); s != success {
		return s
	}
	ns := d.namespaces[r.cmd.NSID-1]
	if ns == nil {
		return r.locate(byteNSID, 0, invalidField)
	}
	var list nvme.ControllerList
	if err := nvme.Decode(r.cmd.Data, &list); err != nil || len(list) == 0 ||
		!slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
		return nvme.StatusInvalidControllerList.WithDNR()
	}
	for _, id := range list {
		switch attached := ns.attached[id]; {
		case id == 0 || int(id) > len(d.controllers):
			return nvme.StatusInvalidControllerList.WithDNR()
		case attach && attached:
			return nvme.StatusAlreadyAttached.WithDNR()
		case !attach && !attached:
			return nvme.StatusNotAttached.WithDNR()
		}
	}
	if attach && ns.private && len(list)+len(ns.attached) > 1 {
		return nvme.StatusNamespacePrivate.WithDNR()
	}
	for _, id := range list {
		c := d.controllers[id-1]
		if attach {
			ns.attached[id] = true
		} else {
			delete(ns.attached, id)
			c.selfTest.abortFor(c, ns.id, nvme.SelfTestAbortedNamespace)
		}
		c.namespaceChanged(ns.id)
	}
	return success
}

// Detach takes the namespace from every controller, and Attach gives it to all (a
// private one to the first), as another host may do by Namespace Attachment. The
// controllers post that the namespace has changed.
func (n *Namespace) Detach() { n.attach(false) }

// Attach is the other way round; see [Namespace.Detach].
func (n *Namespace) Attach() { n.attach(true) }

func (n *Namespace) attach(yes bool) {
	n.drive.mu.Lock()
	defer n.drive.mu.Unlock()
	for _, c := range n.drive.controllers {
		switch {
		case n.attachedTo(c) == yes, yes && n.private && c.id > 1:
			continue
		case yes:
			n.attached[c.id] = true
		default:
			delete(n.attached, c.id)
			c.selfTest.abortFor(c, n.id, nvme.SelfTestAbortedNamespace)
		}
		c.namespaceChanged(n.id)
	}
}

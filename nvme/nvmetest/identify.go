package nvmetest

import (
	"github.com/drivebay/drivebay/nvme"
)

// identify carries out an Identify: NVMe Base 2.0, 5.17, and NVM Command Set
// 1.0, 4.1.5.
func identify(r *request) nvme.Status {
	d, cns := r.c.drive, nvme.CNS(r.cmd.CDW10)
	p := &d.profile
	if need, known := identifySince[cns]; !known || !p.since(need) || !p.offersCNS(cns) {
		return r.invalid(10, 0)
	}
	if csi := r.cmd.CDW11 >> 24; csi != 0 {
		if !p.since(nvme.Version2_0) || !usesCSI(cns) || csi != uint32(nvme.NVMCommandSet) {
			return r.invalid(11, 24)
		}
	}
	if s := r.transfer(4096); s != success {
		return s
	}
	switch cns {
	case nvme.CNSNamespace, nvme.CNSAllocatedNamespace, nvme.CNSCommandSetNamespace, nvme.CNSIndependentNamespace,
		nvme.CNSDescriptors, nvme.CNSCommandSetAllocated:
		return identifyOneNamespace(r, cns)
	case nvme.CNSActiveNamespaces, nvme.CNSCommandSetActive, nvme.CNSAllocatedNamespaces:
		return identifyNamespaces(r, cns != nvme.CNSAllocatedNamespaces)
	case nvme.CNSAttachedControllers:
		return identifyAttached(r)
	}
	if r.cmd.NSID != 0 {
		return r.locate(byteNSID, 0, invalidField)
	}
	switch cns {
	case nvme.CNSController:
		return r.answer(r.c.identify())
	case nvme.CNSCommandSetController:
		return r.answer(&p.NVM)
	case nvme.CNSControllers:
		return r.controllerList(func(*Controller) bool { return true })
	case nvme.CNSPrimaryController:
		return r.answer(&nvme.PrimaryController{ControllerID: r.c.id})
	case nvme.CNSSecondaryControllers:
		return r.answer(new(nvme.SecondaryControllers))
	case nvme.CNSNVMSets:
		if r.cmd.CDW11&0xffff > 1 {
			return r.answer(new(nvme.NVMSetList))
		}
		return r.answer(&nvme.NVMSetList{{ID: 1, EnduranceGroupID: 1, RandomRead4K: 800, OptimalWriteSize: 4096,
			TotalCapacity: p.Controller.TotalCapacity, UnallocatedCapacity: d.unallocated()}})
	case nvme.CNSEnduranceGroups:
		if r.cmd.CDW11&0xffff > 1 {
			return r.answer(new(nvme.EnduranceGroupList))
		}
		return r.answer(&nvme.EnduranceGroupList{1})
	case nvme.CNSDomains:
		return r.answer(&nvme.DomainList{{ID: 1, TotalCapacity: p.Controller.TotalCapacity, UnallocatedCapacity: d.unallocated()}})
	case nvme.CNSUUIDs:
		return r.answer(new(nvme.UUIDList))
	case nvme.CNSGranularities:
		return r.answer(&nvme.Granularities{Entries: []nvme.Granularity{{Size: namespaceGranularity, Capacity: namespaceGranularity}}})
	}
	return r.answer(&nvme.CommandSetCombinations{1 << nvme.NVMCommandSet})
}

// identifySince says since when there is which structure. 1.1 is taken for 1.2,
// which is the oldest there is here.
var identifySince = map[nvme.CNS]nvme.Version{
	nvme.CNSNamespace: 0, nvme.CNSController: 0, nvme.CNSActiveNamespaces: 0,
	nvme.CNSDescriptors: nvme.Version1_3, nvme.CNSNVMSets: nvme.Version1_4,
	nvme.CNSCommandSetNamespace: nvme.Version2_0, nvme.CNSCommandSetController: nvme.Version2_0,
	nvme.CNSCommandSetActive: nvme.Version2_0, nvme.CNSIndependentNamespace: nvme.Version2_0,
	nvme.CNSAllocatedNamespaces: nvme.Version1_2, nvme.CNSAllocatedNamespace: nvme.Version1_2,
	nvme.CNSAttachedControllers: nvme.Version1_2, nvme.CNSControllers: nvme.Version1_2,
	nvme.CNSPrimaryController: nvme.Version1_3, nvme.CNSSecondaryControllers: nvme.Version1_3,
	nvme.CNSGranularities: nvme.Version1_4, nvme.CNSUUIDs: nvme.Version1_4,
	nvme.CNSDomains: nvme.Version2_0, nvme.CNSEnduranceGroups: nvme.Version1_4,
	nvme.CNSCommandSetAllocated: nvme.Version2_0, nvme.CNSCommandSets: nvme.Version2_0,
}

// offersCNS reports whether the controller claims what a structure is about.
func (p *Profile) offersCNS(cns nvme.CNS) bool {
	id := &p.Controller
	switch cns {
	case nvme.CNSAllocatedNamespaces, nvme.CNSAllocatedNamespace, nvme.CNSCommandSetAllocated:
		return id.AdminCommands&nvme.SupportsNamespaceManagement != 0
	case nvme.CNSAttachedControllers, nvme.CNSControllers:
		return id.AdminCommands&nvme.SupportsNamespaceManagement != 0 || id.MultiPath&2 != 0
	case nvme.CNSNVMSets:
		return id.Attributes&nvme.NVMSets != 0
	case nvme.CNSEnduranceGroups:
		return id.Attributes&nvme.EnduranceGroups != 0
	case nvme.CNSPrimaryController, nvme.CNSSecondaryControllers:
		return id.AdminCommands&nvme.SupportsVirtualization != 0
	case nvme.CNSGranularities:
		return id.Attributes&nvme.NamespaceGranularity != 0
	case nvme.CNSUUIDs:
		return id.Attributes&nvme.UUIDListSupport != 0
	case nvme.CNSDomains:
		return id.Attributes&nvme.MultiDomain != 0
	}
	return true
}

func usesCSI(cns nvme.CNS) bool {
	switch cns {
	case nvme.CNSCommandSetNamespace, nvme.CNSCommandSetController, nvme.CNSCommandSetActive, nvme.CNSCommandSetAllocated:
		return true
	}
	return false
}

// identify fills in Identify Controller.
func (c *Controller) identify() *nvme.IdentifyController {
	d := c.drive
	id := d.profile.Controller
	id.ControllerID = c.id
	id.FirmwareRevision = d.firmware.running()
	if id.AdminCommands&nvme.SupportsNamespaceManagement != 0 {
		id.UnallocatedCapacity = d.unallocated()
	}
	return &id
}

// unallocated returns the capacity that no namespace takes.
func (d *Drive) unallocated() nvme.Uint128 {
	total, _ := d.profile.Controller.TotalCapacity.Uint64()
	return nvme.Uint128{Lo: total - min(d.allocated(), total)}
}

// identifyOneNamespace answers the structures of one namespace. An NSID that is
// valid, but not active or allocated as the structure has it, reads as zeros.
func identifyOneNamespace(r *request, cns nvme.CNS) nvme.Status {
	d := r.c.drive
	managed := d.profile.Controller.AdminCommands&nvme.SupportsNamespaceManagement != 0
	if r.cmd.NSID == nvme.BroadcastNSID && managed && (cns == nvme.CNSNamespace || cns == nvme.CNSCommandSetNamespace) {
		return identifyCommon(r, cns)
	}
	if s := r.valid(); s != success {
		return s
	}
	ns := d.namespaces[r.cmd.NSID-1]
	anyController := cns == nvme.CNSAllocatedNamespace || cns == nvme.CNSCommandSetAllocated || cns == nvme.CNSIndependentNamespace
	if ns == nil || !anyController && !ns.attachedTo(r.c) {
		if cns == nvme.CNSDescriptors {
			return r.locate(byteNSID, 0, invalidField)
		}
		clear(r.cmd.Data)
		return success
	}
	switch cns {
	case nvme.CNSDescriptors:
		return r.answer(&nvme.NamespaceDescriptors{EUI64: ns.eui64, NGUID: ns.nguid, UUID: ns.uuid,
			CommandSetReported: d.profile.since(nvme.Version2_0)})
	case nvme.CNSCommandSetNamespace, nvme.CNSCommandSetAllocated:
		return r.answer(new(nvme.NVMNamespace))
	case nvme.CNSIndependentNamespace:
		id := ns.identify(1)
		return r.answer(&nvme.IndependentNamespace{MultiPath: id.MultiPath, Reservations: id.ReservationCapabilities,
			FormatProgress: id.FormatProgress, Attributes: id.Attributes, NVMSetID: id.NVMSetID,
			EnduranceGroupID: id.EnduranceGroupID, ANAGroupID: id.ANAGroupID, Status: 1})
	}
	return r.answer(ns.identify(r.c.visibleFormats()))
}

// identifyCommon answers what all namespaces have in common.
func identifyCommon(r *request, cns nvme.CNS) nvme.Status {
	if cns == nvme.CNSCommandSetNamespace {
		return r.answer(new(nvme.NVMNamespace))
	}
	p := &r.c.drive.profile
	formats := r.c.visibleFormats()
	id := &nvme.IdentifyNamespace{FormatCount: uint8(formats - 1), Features: p.NamespaceFeatures,
		MetadataCapabilities: p.MetadataCapabilities, ProtectionCapabilities: p.ProtectionCapabilities}
	copy(id.Formats[:formats], p.Formats)
	return r.answer(id)
}

// visibleFormats returns how many LBA formats a host sees: no more than 16,
// unless it has said by Host Behavior Support that it knows of more.
func (c *Controller) visibleFormats() int {
	n := len(c.drive.formats)
	if !c.features.extendedFormats() {
		n = min(n, 16)
	}
	return n
}

// identifyNamespaces answers lists of NSIDs above the one given.
func identifyNamespaces(r *request, active bool) nvme.Status {
	if r.cmd.NSID >= nvme.BroadcastNSID-1 {
		return r.locate(byteNSID, 0, invalidNamespace)
	}
	var list nvme.NamespaceList
	for _, ns := range r.c.drive.namespaces {
		if ns != nil && ns.id > r.cmd.NSID && (!active || ns.attachedTo(r.c)) && len(list) < 1024 {
			list = append(list, ns.id)
		}
	}
	return r.answer(&list)
}

// identifyAttached answers the controllers that a namespace is attached to.
func identifyAttached(r *request) nvme.Status {
	if s := r.valid(); s != success {
		return s
	}
	ns := r.c.drive.namespaces[r.cmd.NSID-1]
	return r.controllerList(func(c *Controller) bool { return ns != nil && ns.attachedTo(c) })
}

// controllerList answers the controllers from CNTID on.
func (r *request) controllerList(has func(c *Controller) bool) nvme.Status {
	var list nvme.ControllerList
	for _, c := range r.c.drive.controllers {
		if uint32(c.id) >= r.cmd.CDW10>>16 && has(c) {
			list = append(list, c.id)
		}
	}
	return r.answer(&list)
}

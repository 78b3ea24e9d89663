package nvme

import "context"

// CNS says what Identify returns: NVMe Base 2.0, 5.17.1.
type CNS uint8

// Controller or namespace structures.
const (
	CNSNamespace            CNS = 0x00
	CNSController           CNS = 0x01
	CNSActiveNamespaces     CNS = 0x02
	CNSDescriptors          CNS = 0x03
	CNSNVMSets              CNS = 0x04
	CNSCommandSetNamespace  CNS = 0x05
	CNSCommandSetController CNS = 0x06
	CNSCommandSetActive     CNS = 0x07
	CNSIndependentNamespace CNS = 0x08
	CNSAllocatedNamespaces  CNS = 0x10
	CNSAllocatedNamespace   CNS = 0x11
	CNSAttachedControllers  CNS = 0x12
	CNSControllers          CNS = 0x13
	CNSPrimaryController    CNS = 0x14
	CNSSecondaryControllers CNS = 0x15
	CNSGranularities        CNS = 0x16
	CNSUUIDs                CNS = 0x17
	CNSDomains              CNS = 0x18
	CNSEnduranceGroups      CNS = 0x19
	CNSCommandSetAllocated  CNS = 0x1a
	CNSCommandSets          CNS = 0x1c
)

// IdentifyRequest are the parameters of Identify. Which of them matter depends
// on CNS.
type IdentifyRequest struct {
	CNS          CNS
	NSID         uint32
	ControllerID uint16     // CNTID
	SpecificID   uint16     // CNS Specific Identifier: an NVM set, a domain and so on
	CommandSet   CommandSet // CSI
	UUIDIndex    uint8      // 0 is none, at most 127
}

// IdentifyPage returns the 4096 bytes that Identify answers with, for a
// structure that this package has no method for.
func (c *Controller) IdentifyPage(ctx context.Context, r IdentifyRequest) ([]byte, error) {
	if r.UUIDIndex > 0x7f {
		return nil, &ArgumentError{"identify", "UUIDIndex", r.UUIDIndex, "at most 127"}
	}
	page := make([]byte, 4096)
	_, err := c.Do(ctx, Command{
		Opcode: AdminIdentify,
		NSID:   r.NSID,
		CDW10:  uint32(r.CNS) | uint32(r.ControllerID)<<16,
		CDW11:  uint32(r.SpecificID) | uint32(r.CommandSet)<<24,
		CDW14:  uint32(r.UUIDIndex),
		Data:   page,
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// identify decodes what Identify answers with.
func identify[T any, P interface {
	*T
	Structure
}](ctx context.Context, c *Controller, r IdentifyRequest) (*T, error) {
	page, err := c.IdentifyPage(ctx, r)
	if err != nil {
		return nil, err
	}
	s := P(new(T))
	if err := Decode(page, s); err != nil {
		return nil, err
	}
	return s, nil
}

// identifyNamespace is identify for one namespace.
func identifyNamespace[T any, P interface {
	*T
	Structure
}](ctx context.Context, c *Controller, r IdentifyRequest, all bool) (*T, error) {
	if err := checkNSID("identify", r.NSID, all); err != nil {
		return nil, err
	}
	return identify[T, P](ctx, c, r)
}

// Identify returns what the controller says of itself.
func (c *Controller) Identify(ctx context.Context) (*IdentifyController, error) {
	return identify[IdentifyController](ctx, c, IdentifyRequest{CNS: CNSController})
}

// IdentifyNamespace returns what the controller says of an active namespace of
// the NVM command set. It is all zero if the NSID is valid, but the namespace
// inactive. BroadcastNSID returns what all namespaces have in common, if the
// controller supports namespace management.
func (c *Controller) IdentifyNamespace(ctx context.Context, nsid uint32) (*IdentifyNamespace, error) {
	return identifyNamespace[IdentifyNamespace](ctx, c, IdentifyRequest{CNS: CNSNamespace, NSID: nsid}, true)
}

// IdentifyAllocated is IdentifyNamespace for a namespace that is allocated, be
// it attached to this controller or not.
func (c *Controller) IdentifyAllocated(ctx context.Context, nsid uint32) (*IdentifyNamespace, error) {
	return identifyNamespace[IdentifyNamespace](ctx, c, IdentifyRequest{CNS: CNSAllocatedNamespace, NSID: nsid}, false)
}

// NamespaceDescriptors returns the identifiers of an active namespace.
func (c *Controller) NamespaceDescriptors(ctx context.Context, nsid uint32) (*NamespaceDescriptors, error) {
	return identifyNamespace[NamespaceDescriptors](ctx, c, IdentifyRequest{CNS: CNSDescriptors, NSID: nsid}, false)
}

// NVMNamespace returns what the NVM command set adds to IdentifyNamespace.
func (c *Controller) NVMNamespace(ctx context.Context, nsid uint32) (*NVMNamespace, error) {
	return identifyNamespace[NVMNamespace](ctx, c, IdentifyRequest{CNS: CNSCommandSetNamespace, NSID: nsid}, true)
}

// IndependentNamespace returns what does not depend on the command set of a
// namespace.
func (c *Controller) IndependentNamespace(ctx context.Context, nsid uint32) (*IndependentNamespace, error) {
	return identifyNamespace[IndependentNamespace](ctx, c, IdentifyRequest{CNS: CNSIndependentNamespace, NSID: nsid}, true)
}

// NVMController returns what the NVM command set adds to Identify.
func (c *Controller) NVMController(ctx context.Context) (*NVMController, error) {
	return identify[NVMController](ctx, c, IdentifyRequest{CNS: CNSCommandSetController})
}

// ActiveNamespaces returns the NSIDs that are attached to the controller, in
// ascending order. More than 1024 take more than one command.
func (c *Controller) ActiveNamespaces(ctx context.Context) (NamespaceList, error) {
	return c.namespaces(ctx, CNSActiveNamespaces)
}

// AllocatedNamespaces returns the NSIDs that exist in the NVM subsystem, in
// ascending order. More than 1024 take more than one command.
func (c *Controller) AllocatedNamespaces(ctx context.Context) (NamespaceList, error) {
	return c.namespaces(ctx, CNSAllocatedNamespaces)
}

func (c *Controller) namespaces(ctx context.Context, cns CNS) (NamespaceList, error) {
	var all NamespaceList
	for last := uint32(0); ; {
		list, err := identify[NamespaceList](ctx, c, IdentifyRequest{CNS: cns, NSID: last})
		if err != nil {
			return nil, err
		}
		for _, nsid := range *list {
			if nsid <= last { // or else a drive that repeats itself would keep us here
				return nil, &DecodeError{"NamespaceList", "NSIDs do not ascend"}
			}
			last = nsid
		}
		all = append(all, *list...)
		// NB: FFFFFFFEh and above are no starting points.
		if len(*list) < 1024 || last >= BroadcastNSID-1 {
			return all, nil
		}
	}
}

// Controllers returns the identifiers, from first on, of the controllers of the
// NVM subsystem.
func (c *Controller) Controllers(ctx context.Context, first uint16) (ControllerList, error) {
	return deref(identify[ControllerList](ctx, c, IdentifyRequest{CNS: CNSControllers, ControllerID: first}))
}

// AttachedControllers returns the identifiers, from first on, of the
// controllers that a namespace is attached to.
func (c *Controller) AttachedControllers(ctx context.Context, nsid uint32, first uint16) (ControllerList, error) {
	r := IdentifyRequest{CNS: CNSAttachedControllers, NSID: nsid, ControllerID: first}
	return deref(identifyNamespace[ControllerList](ctx, c, r, false))
}

// PrimaryController returns the capabilities of this controller as the primary
// one of a virtualized NVM subsystem.
func (c *Controller) PrimaryController(ctx context.Context) (*PrimaryController, error) {
	return identify[PrimaryController](ctx, c, IdentifyRequest{CNS: CNSPrimaryController})
}

// SecondaryControllers returns, from identifier first on, the controllers that
// this one is the primary of.
func (c *Controller) SecondaryControllers(ctx context.Context, first uint16) (SecondaryControllers, error) {
	return deref(identify[SecondaryControllers](ctx, c, IdentifyRequest{CNS: CNSSecondaryControllers, ControllerID: first}))
}

// NVMSets returns, from identifier first on, the NVM sets.
func (c *Controller) NVMSets(ctx context.Context, first uint16) (NVMSetList, error) {
	return deref(identify[NVMSetList](ctx, c, IdentifyRequest{CNS: CNSNVMSets, SpecificID: first}))
}

// Domains returns, from identifier first on, the domains of the NVM subsystem.
func (c *Controller) Domains(ctx context.Context, first uint16) (DomainList, error) {
	return deref(identify[DomainList](ctx, c, IdentifyRequest{CNS: CNSDomains, SpecificID: first}))
}

// EnduranceGroups returns, from identifier first on, the endurance groups.
func (c *Controller) EnduranceGroups(ctx context.Context, first uint16) (EnduranceGroupList, error) {
	return deref(identify[EnduranceGroupList](ctx, c, IdentifyRequest{CNS: CNSEnduranceGroups, SpecificID: first}))
}

// UUIDs returns the UUIDs that a UUID index counts in.
func (c *Controller) UUIDs(ctx context.Context) (UUIDList, error) {
	return deref(identify[UUIDList](ctx, c, IdentifyRequest{CNS: CNSUUIDs}))
}

// Granularities returns in which steps a namespace's size wastes no capacity.
func (c *Controller) Granularities(ctx context.Context) (*Granularities, error) {
	return identify[Granularities](ctx, c, IdentifyRequest{CNS: CNSGranularities})
}

// CommandSets returns which I/O command sets the controller with the identifier
// can enable together; FFFFh is this one.
func (c *Controller) CommandSets(ctx context.Context, id uint16) (*CommandSetCombinations, error) {
	return identify[CommandSetCombinations](ctx, c, IdentifyRequest{CNS: CNSCommandSets, ControllerID: id})
}

// deref turns a pointer to a list into the list.
func deref[T any](p *T, err error) (v T, _ error) {
	if err != nil {
		return v, err
	}
	return *p, nil
}

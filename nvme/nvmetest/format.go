package nvmetest

import "github.com/drivebay/drivebay/nvme"

// formatNVM carries out a Format NVM: NVMe Base 2.0, 5.14, and NVM Command Set
// 1.0, 4.1.2. It completes once the format is done. What a reset does to a
// format is not specified; here it goes on, and only the command is lost.
func formatNVM(r *request) nvme.Status {
	d := r.c.drive
	if s := r.transfer(0); s != success {
		return s
	}
	spaces, s := r.formatted()
	if s != success {
		return s
	}
	cdw10 := r.cmd.CDW10
	index := int(cdw10&0xf | cdw10>>12&3<<4)
	extended, pi := cdw10&(1<<4) != 0, uint8(cdw10>>5&7)
	if s := d.checkFormat(r, index, extended, pi, cdw10>>9&7); s != success {
		return s
	}
	for _, ns := range spaces {
		switch {
		case ns.formatting != nil:
			return nvme.StatusFormatInProgress
		case ns.protection != protectNone:
			return nvme.StatusWriteProtected.WithDNR()
		}
	}
	d.persistent.add(d, r.c.id, nvme.EventFormatStart,
		&nvme.FormatStartEvent{NSID: r.cmd.NSID, Attributes: d.profile.Controller.FormatAttributes, CDW10: cdw10})
	for _, c := range d.controllers {
		c.selfTest.abortFor(c, r.cmd.NSID, nvme.SelfTestAbortedFormat)
	}
	if pi != 0 && cdw10&(1<<8) != 0 {
		pi |= piFirst
	}
	end := d.now + d.profile.FormatTime
	for _, ns := range spaces {
		ns.formatting = &formatting{d.now, end}
	}
	nsid, id := r.cmd.NSID, r.c.id
	finish := func() {
		for _, ns := range spaces {
			ns.becomes(index, extended, pi)
		}
		d.persistent.add(d, id, nvme.EventFormatCompletion, &nvme.FormatCompletionEvent{NSID: nsid})
	}
	if end == d.now {
		finish()
		return success
	}
	d.at(end, finish) // before the command's own timer, which fires after it
	return r.until(end, func(*request) nvme.Status { return success })
}

// formatted returns the namespaces that the command formats, which may be more
// than it names.
func (r *request) formatted() ([]*Namespace, nvme.Status) {
	d := r.c.drive
	fna := d.profile.Controller.FormatAttributes
	all := r.cmd.NSID == nvme.BroadcastNSID
	if all && fna&nvme.NoBroadcastFormat != 0 {
		return nil, r.locate(byteNSID, 0, invalidField)
	}
	if !all {
		if s := r.active(); s != success {
			return nil, s
		}
	}
	if erase := r.cmd.CDW10 >> 9 & 7; fna&nvme.FormatAllNamespaces != 0 || erase != 0 && fna&nvme.EraseAllNamespaces != 0 {
		all = true
	}
	if !all {
		return []*Namespace{r.ns}, success
	}
	var spaces []*Namespace
	for _, ns := range d.namespaces {
		if ns != nil && ns.attachedTo(r.c) {
			spaces = append(spaces, ns)
		}
	}
	return spaces, success
}

// checkFormat refuses what is not offered.
func (d *Drive) checkFormat(r *request, index int, extended bool, pi uint8, erase uint32) nvme.Status {
	p := &d.profile
	if index >= r.c.visibleFormats() || !d.formats[index].Offered() {
		return r.locate(byteCDW10, 0, invalidFormat)
	}
	if s := p.checkMetadata(d.formats[index], extended, pi, r.cmd.CDW10&(1<<8) != 0); s != success {
		return s
	}
	switch {
	case erase > uint32(nvme.CryptographicErase),
		erase == uint32(nvme.CryptographicErase) && p.Controller.FormatAttributes&nvme.CryptoErase == 0:
		return r.invalid(10, 9)
	}
	return success
}

// checkMetadata refuses a use of metadata that is not offered.
func (p *Profile) checkMetadata(f nvme.LBAFormat, extended bool, pi uint8, first bool) nvme.Status {
	separate := !extended && f.MetadataSize > 0
	switch {
	case extended && (p.MetadataCapabilities&1 == 0 || f.MetadataSize == 0),
		separate && p.MetadataCapabilities&2 == 0,
		pi > 3,
		pi != 0 && (p.ProtectionCapabilities&(1<<(pi-1)) == 0 || f.MetadataSize < tupleSize),
		pi != 0 && first && p.ProtectionCapabilities&(1<<3) == 0,
		pi != 0 && !first && p.ProtectionCapabilities&(1<<4) == 0,
		pi == 0 && first:
		return invalidFormat
	}
	return success
}

// becomes gives the namespace another format, and erases it. It keeps its
// capacity in bytes.
func (n *Namespace) becomes(index int, extended bool, pi uint8) {
	n.erase(0)
	bytes := n.capacity * uint64(n.blockSize())
	n.format, n.extended, n.pi = index, extended, pi
	n.blocks = bytes / uint64(n.blockSize())
	n.capacity = n.blocks
	n.formatting = nil
	for _, c := range n.drive.controllers {
		if n.attachedTo(c) {
			c.namespaceChanged(n.id)
		}
	}
}

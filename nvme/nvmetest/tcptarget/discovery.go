package tcptarget

import (
	"net"

	"github.com/drivebay/drivebay/nvme"
)

// discover carries out a command of a discovery controller: NVMe Base 2.0,
// 3.1.2.3.
func (a *association) discover(cmd *nvme.Command) nvme.Completion {
	switch cmd.Opcode {
	case nvme.AdminIdentify:
		return a.discoverIdentify(cmd)
	case nvme.AdminGetLogPage:
		return a.discoverLog(cmd)
	case nvme.AdminKeepAlive:
		return nvme.Completion{}
	case nvme.AdminAsyncEvent:
		return a.discoverEvent()
	case nvme.AdminSetFeatures:
		return a.discoverSetFeatures(cmd)
	}
	return nvme.Completion{Status: nvme.StatusInvalidOpcode.WithDNR()}
}

func (a *association) discoverSetFeatures(cmd *nvme.Command) nvme.Completion {
	switch id := nvme.FeatureID(cmd.CDW10); {
	case len(cmd.Data) > 0:
		return nvme.Completion{Status: invalidLength}
	case id == nvme.FeatureKeepAlive:
		a.setKeepAlive(cmd.CDW11)
	case id == nvme.FeatureAsyncEvents && cmd.CDW11&^discoveryChangeBit == 0:
		a.mu.Lock()
		defer a.mu.Unlock()
		a.found.enabled = cmd.CDW11
	default:
		return nvme.Completion{Status: invalidField}
	}
	return nvme.Completion{}
}

func (a *association) discoverIdentify(cmd *nvme.Command) nvme.Completion {
	if nvme.CNS(cmd.CDW10) != nvme.CNSController || cmd.NSID != 0 {
		return nvme.Completion{Status: invalidField}
	}
	if len(cmd.Data) != 4096 {
		return nvme.Completion{Status: invalidLength}
	}
	of := &a.t.profile.Controller
	b, err := nvme.Encode(&nvme.IdentifyController{
		SerialNumber: of.SerialNumber, ModelNumber: "Drivebay discovery", FirmwareRevision: "1",
		ControllerID: a.id, Version: a.t.version(), Type: nvme.DiscoveryController,
		LogPages: nvme.SupportsExtendedData, SubsystemNQN: discoveryNQN, AsyncEvents: discoveryChangeBit,
	})
	if err != nil {
		return nvme.Completion{Status: nvme.StatusInternalError}
	}
	copy(cmd.Data, b)
	a.t.overFabrics(cmd.Data)
	clear(cmd.Data[identifySUBNQN : identifySUBNQN+256])
	copy(cmd.Data[identifySUBNQN:], discoveryNQN)
	return nvme.Completion{}
}

// discoverLog answers the discovery log page: NVMe Base 2.0, 5.16.1.23.
func (a *association) discoverLog(cmd *nvme.Command) nvme.Completion {
	size := (uint64(cmd.CDW10>>16) | uint64(cmd.CDW11&0xffff)<<16 + 1) * 4
	offset := uint64(cmd.CDW12) | uint64(cmd.CDW13)<<32
	switch {
	case nvme.LogPageID(cmd.CDW10) != nvme.LogDiscovery:
		return nvme.Completion{Status: nvme.StatusInvalidLogPage.WithDNR()}
	case size != uint64(len(cmd.Data)):
		return nvme.Completion{Status: invalidLength}
	}
	nqn := a.t.o.NQN
	if !a.t.powered() {
		nqn = ""
	}
	log := discoveryLog(a.t.discoveryGeneration(), nqn, a.local())
	if offset%4 != 0 || offset > uint64(len(log)) {
		return nvme.Completion{Status: invalidField}
	}
	clear(cmd.Data[copy(cmd.Data, log[offset:]):])
	if retain := cmd.CDW10&(1<<15) != 0; !retain {
		a.discoverRead()
	}
	return nvme.Completion{}
}

// local is the address that the host has connected to.
func (a *association) local() *net.TCPAddr {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.queues[0].conn.LocalAddr().(*net.TCPAddr)
}

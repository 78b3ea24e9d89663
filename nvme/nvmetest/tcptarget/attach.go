package tcptarget

import (
	"fmt"
	"sync"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// FabricsDevice is the device node through which Linux connects to targets. It is
// there once the module nvme-fabrics is loaded; nvme-tcp is needed as well.
const FabricsDevice = "/dev/nvme-fabrics"

// Attached is a drive that the running kernel has. [Attach] or [Target.Connect]
// makes one. If its process dies, the kernel removes the controller by itself after
// a few seconds.
type Attached struct {
	// Target serves the drive. Close closes it if Attach has made it.
	Target *Target

	controller *nvmetest.Controller
	name       string // the kernel's, of the controller
	owns       bool   // the target
	once       sync.Once
	close      error
}

// Name returns the kernel's name of the controller, such as "nvme0".
func (a *Attached) Name() string { return a.name }

// Node returns the controller's device node, such as "/dev/nvme0".
func (a *Attached) Node() string { return "/dev/" + a.name }

// Namespaces returns the namespaces that the kernel has block devices of. Their
// nodes may be named after another number than the NSID and another controller.
func (a *Attached) Namespaces() ([]nvme.NamespaceInfo, error) {
	inventory, err := nvme.Discover()
	if err != nil {
		return nil, err
	}
	for _, s := range inventory {
		for _, c := range s.Controllers {
			if c.Name == a.name {
				return s.Namespaces, nil
			}
		}
	}
	return nil, fmt.Errorf("tcptarget: the kernel has no controller %s any more", a.name)
}

// NamespaceNode returns the block device of a namespace, such as "/dev/nvme0n1".
func (a *Attached) NamespaceNode(nsid uint32) (string, error) {
	list, err := a.Namespaces()
	if err != nil {
		return "", err
	}
	for _, n := range list {
		if n.NSID == nsid {
			return n.Node, nil
		}
	}
	return "", fmt.Errorf("tcptarget: %s has no block device of namespace %d", a.name, nsid)
}

// Close lets the kernel disconnect, waits until the controller has gone, and
// closes the target if Attach has made it. It may be called again. Whatever has the
// namespaces open gets errors from then on.
func (a *Attached) Close() error {
	a.once.Do(func() { a.close = a.detach() })
	return a.close
}

package nvme

import (
	"fmt"
	"os"
)

// NodeOf makes a Node of a file that is no device, for a kernel that answers its
// ioctls from user space.
func NodeOf(f *os.File) *Node {
	return &Node{file: f, fd: int(f.Fd()), notNVMe: fmt.Errorf("nvme: %s: %w", f.Name(), ErrNotNVMe)}
}

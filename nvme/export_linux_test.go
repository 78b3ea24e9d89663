package nvme

import "os"

// NodeOf makes a Node of a file that is no device, for a kernel that answers its
// ioctls from user space.
func NodeOf(f *os.File) *Node {
	n := &Node{file: f, fd: int(f.Fd())}
	n.setErrors()
	return n
}

package mkfs

import (
	"io/fs"

	"github.com/drivebay/drivebay/image/filetree"
)

// lossBtrfs tells what mkfs.btrfs does not copy, as seen with version 6.2.
func lossBtrfs(n filetree.Node) (string, loss) {
	isRoot := n.Parent() == n
	switch {
	case isRoot && (n.Mode() != fs.ModeDir|0o755 || n.UID() != 0 || n.GID() != 0 || len(n.Xattrs()) > 0):
		return "permissions, owner and attributes of the root directory", partial
	case n.Mode()&fs.ModeDevice != 0:
		return "device, of which mkfs.btrfs loses the number", whole
	}
	return "", none
}

// needBtrfs estimates the size for a tree. There are two copies of all metadata,
// of which a file takes less than 1 KiB; data comes in chunks.
func needBtrfs(c *census) int64 {
	all := c.blocks*blockSize + 2*c.files*1024
	return 128*mib + all + all/8
}

// btrfsArgs are the arguments but for the tree's and the file's.
func (j *job) btrfsArgs() []string {
	// Left to itself, it takes the page size of this machine for the sectors.
	args := []string{"-q", "-K", "-f", "-s", "4096", "-U", j.uuid.String()}
	if j.fs.Label != "" {
		args = append(args, "-L", j.fs.Label)
	}
	return append(args, j.fs.Options...)
}

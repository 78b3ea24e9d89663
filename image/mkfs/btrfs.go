package mkfs

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os/exec"

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
	for _, name := range j.fs.Subvolumes {
		args = append(args, "--subvol", name)
	}
	return append(args, j.fs.Options...)
}

// checkSubvolumes refuses subvolumes that are no directories of the tree, and those
// that the program cannot make: it can from btrfs-progs 6.11 on.
func (p *plan) checkSubvolumes(ctx context.Context) error {
	if len(p.fs.Subvolumes) == 0 {
		return nil
	}
	if p.fs.Type != Btrfs {
		return fmt.Errorf("%s: %q: %w: want btrfs", p.fs.Type, p.fs.Subvolumes[0], ErrSubvolume)
	}
	for _, name := range p.fs.Subvolumes {
		if !isDirectory(p.tree, name) {
			return fmt.Errorf("btrfs: %q: %w: want a directory of the tree, and not its root", name, ErrSubvolume)
		}
	}
	usage, _ := exec.CommandContext(ctx, p.programs[0], "--help").CombinedOutput() // of which the status is 1
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if !bytes.Contains(usage, []byte("--subvol")) {
		return fmt.Errorf("btrfs: %q: %w: %s has no option --subvol: want that of btrfs-progs 6.11 or later", p.fs.Subvolumes[0], ErrSubvolume, p.programs[0])
	}
	return nil
}

// isDirectory reports whether a tree, nil for none, has a directory below its root.
func isDirectory(t *filetree.Tree, name string) bool {
	if t == nil {
		return false
	}
	n, ok := t.Lookup(name)
	return ok && n.IsDir() && n.Parent() != n
}

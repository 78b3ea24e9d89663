package mkfs

import (
	"fmt"
	"io/fs"
	"math"
	"strings"

	"github.com/drivebay/drivebay/image/filetree"
)

// maxXFSFile is the longest file that mkfs.xfs can copy: it reads it by one
// read(2), which Linux ends there (MAX_RW_COUNT).
const maxXFSFile = math.MaxInt32 &^ (blockSize - 1)

// lossXFS tells what a protofile cannot hold (mkfs.xfs(8), option -p).
func lossXFS(n filetree.Node) (string, loss) {
	switch {
	case !isToken(n.Name()) && n.Parent() != n:
		return "name with white space, or that means something else to mkfs.xfs", whole
	case n.Mode()&fs.ModeSymlink != 0 && !isToken(n.Target()):
		return "symbolic link to a name with white space, or that means something else to mkfs.xfs", whole
	case n.Mode()&fs.ModeSocket != 0:
		return "socket", whole
	case n.Size() > maxXFSFile:
		return fmt.Sprintf("file of %d bytes, want at most %d", n.Size(), maxXFSFile), fatal
	}
	var parts []string
	if n.Inode() != n {
		parts = append(parts, "hard link to "+n.Inode().Path()+", becomes a copy")
	}
	if n.Mode()&fs.ModeSticky != 0 {
		parts = append(parts, "sticky bit")
	}
	for _, x := range n.Xattrs() {
		parts = append(parts, "extended attribute "+x.Name)
	}
	if parts == nil {
		return "", none
	}
	return strings.Join(parts, ", "), partial
}

// checkXFS refuses a tree of more files than can be open at once: mkfs.xfs takes
// the content of each from a file of its own, and those without a name are gone
// when they are closed.
func checkXFS(p *plan) error {
	const others = 100 // what else is open
	limit, err := openLimit()
	if need := p.filled + others; err == nil && limit < need {
		return fmt.Errorf("xfs: %d files with a content: %w: they have to be open at once: want a limit on open files (ulimit -Hn) of at least %d, it is %d",
			p.filled, ErrLimit, need, limit)
	}
	return err
}

// isToken reports whether mkfs.xfs takes s for a word.
func isToken(s string) bool {
	return s != "" && s != "$" && s[0] != ':' && !strings.ContainsAny(s, " \t\n")
}

// needXFS estimates the size for a tree. The log takes 64 MiB, an inode 512
// bytes. No file is spread over allocation groups, of which there are four.
func needXFS(c *census) int64 {
	const log, slack = 64 * mib, 16 * mib
	all := c.blocks*blockSize + c.files*512
	return max(300*mib, all+all/10+log+slack, 4*(c.largest+slack))
}

func makeXFS(j *job) error {
	args := []string{"-q", "-K", "-s", fmt.Sprintf("size=%d", j.sectorSize), "-m", "uuid=" + j.uuid.String()}
	if j.fs.Label != "" {
		args = append(args, "-L", j.fs.Label)
	}
	if j.tree != nil {
		p := &protofile{plan: j.plan, job: j}
		defer p.close()
		name, err := p.write()
		if err != nil {
			return err
		}
		args = append(args, "-p", name)
	}
	return j.run(0, append(append(args, j.fs.Options...), j.path())...)
}

package loop

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/drivebay/drivebay/loop/internal/sys"
)

// refuseShared fails when the file of b is attached already.
func refuseShared(b *backing) error {
	found, err := findInode(b.fd, b.stat)
	if err != nil || len(found) == 0 {
		return err
	}
	return fmt.Errorf("%w, to %s (offset %d, size limit %d)", ErrShared, found[0].Name, found[0].Offset, found[0].SizeLimit)
}

// findInode returns the loop devices whose backing file is the inode of st,
// open at fd.
func findInode(fd int, st sys.Stat) ([]Info, error) {
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return nil, err
	}
	numbers, err := loopNumbers()
	if err != nil {
		return nil, err
	}
	var found []Info
	var n nodes
	defer n.close()
	for _, number := range numbers {
		name := "loop" + strconv.Itoa(number)
		backing, err := sysfsString(sysBlock + name + "/loop/backing_file")
		if err != nil || !maybeSame(backing, path, st) {
			continue
		}
		info, err := readInfo(name)
		if err != nil {
			continue
		}
		same, err := backedBy(&n, info, st)
		if err != nil && !isRace(err) {
			return nil, err
		}
		if same {
			found = append(found, info)
		}
	}
	return found, nil
}

// maybeSame reports whether the file that sysfs calls backing can be the one
// called path with the inode of st. It spares opening devices that back other
// files: an open descriptor keeps an AUTOCLEAR device bound.
func maybeSame(backing, path string, st sys.Stat) bool {
	if backing == path {
		return true
	}
	// A deleted file, a memfd among them, has one name, which the kernel tells
	// the same way in both places.
	if strings.HasSuffix(backing, " (deleted)") {
		return false
	}
	// A hard link or another mount of the same file; or a name of another mount
	// namespace, which may be anything.
	other, err := sys.StatPath(backing)
	return err != nil || other.Dev == st.Dev && other.Ino == st.Ino
}

// backedBy asks the device itself.
func backedBy(n *nodes, info Info, st sys.Stat) (bool, error) {
	fd, _, err := n.open(info.Name, sys.BlockDevice, info.Number, sys.ReadOnly)
	if err != nil {
		return false, err
	}
	defer sys.Close(fd)
	status, err := sys.GetStatus(fd)
	if err != nil {
		return false, errors.Join(err)
	}
	return status.Dev == st.Dev && status.Ino == st.Ino, nil
}

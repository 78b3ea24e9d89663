package filetree

import (
	"fmt"
	"strings"
)

// describe tells in a few words what a file is.
func describe(n Node) string {
	switch n.UnixMode() & ModeType {
	case ModeRegular:
		return fmt.Sprintf("regular file of %d bytes", n.Size())
	case ModeDir:
		files := -1
		for range n.subtree() {
			files++
		}
		if files == 1 {
			return "directory with 1 file"
		}
		return fmt.Sprintf("directory with %d files", files)
	case ModeSymlink:
		return fmt.Sprintf("symbolic link to %q", n.Target())
	case ModeFIFO:
		return "fifo"
	case ModeSocket:
		return "socket"
	case ModeBlock:
		return fmt.Sprintf("block device %d:%d", n.Device().Major, n.Device().Minor)
	default:
		return fmt.Sprintf("character device %d:%d", n.Device().Major, n.Device().Minor)
	}
}

// ranges lists where a file has data.
func ranges(n Node) string {
	var list []string
	for r := range n.Data() {
		list = append(list, fmt.Sprintf("%d+%d", r.Offset, r.Length))
	}
	return "[" + strings.Join(list, " ") + "]"
}

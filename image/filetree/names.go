package filetree

import "fmt"

// namesLen is the size in bytes of a chunk of names: enough for one, and little
// for a small tree.
const namesLen = 1 << 14

// maxNames is how many chunks of names there can be: places have 32 bits.
const maxNames = 1 << 32 / namesLen

// names holds the names of all nodes, each as a length byte and its bytes.
type names struct {
	list [][]byte
}

// add appends a name of at most 255 bytes and returns where it is.
func (ns *names) add(name string) (uint32, error) {
	last := len(ns.list) - 1
	if last < 0 || len(ns.list[last])+1+len(name) > namesLen {
		if last == maxNames-1 {
			return 0, fmt.Errorf("more than %d GiB of names in one tree", maxNames*namesLen>>30)
		}
		ns.list = append(ns.list, make([]byte, 0, namesLen))
		last++
	}
	at := uint32(last*namesLen + len(ns.list[last]))
	ns.list[last] = append(append(ns.list[last], byte(len(name))), name...)
	return at, nil
}

// at returns the name at a place that add has returned.
func (ns *names) at(at uint32) []byte {
	b := ns.list[at/namesLen][at%namesLen:]
	return b[1 : 1+int(b[0])]
}

package filetree

// namesLen is the size in bytes of a chunk of names.
const namesLen = 1 << 16

// names holds the names of all nodes, each as a length byte and its bytes.
type names struct {
	list [][]byte
}

// add appends a name of at most 255 bytes and returns where it is.
func (ns *names) add(name string) uint32 {
	last := len(ns.list) - 1
	if last < 0 || len(ns.list[last])+1+len(name) > namesLen {
		ns.list = append(ns.list, make([]byte, 0, namesLen))
		last++
	}
	at := uint32(last*namesLen + len(ns.list[last]))
	ns.list[last] = append(append(ns.list[last], byte(len(name))), name...)
	return at
}

// at returns the name at a place that add has returned.
func (ns *names) at(at uint32) []byte {
	b := ns.list[at/namesLen][at%namesLen:]
	return b[1 : 1+int(b[0])]
}

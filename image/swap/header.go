package swap

import "encoding/binary"

// Where the fields of the header are (include/linux/swap.h, union swap_header;
// the UUID and the label, of which the kernel knows nothing, are mkswap's). What
// comes before is left to boot loaders, and what follows counts bad pages, of
// which an image has none.
const (
	offVersion  = 1024
	offLastPage = 1028
	offUUID     = 1036
	offLabel    = 1052
	// magic is at the end of the page, whatever its size.
	magic = "SWAPSPACE2"
)

// header is what the first page says.
type header struct {
	version  uint32
	lastPage uint32 // the number of pages less one
	uuid     [16]byte
	label    string
}

// put writes the header into a page. Numbers are in the byte order of the
// machine that is to use it; those that Go images are made for are little-endian.
func (h header) put(page []byte) {
	binary.LittleEndian.PutUint32(page[offVersion:], h.version)
	binary.LittleEndian.PutUint32(page[offLastPage:], h.lastPage)
	copy(page[offUUID:], h.uuid[:])
	copy(page[offLabel:offLabel+maxLabel], h.label)
	copy(page[len(page)-len(magic):], magic)
}

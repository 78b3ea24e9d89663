package swap

import (
	"bytes"
	"testing"
)

// TestHeaderOffsets holds the header against include/linux/swap.h: bootbits of
// 1024 bytes, version, last_page, nr_badpages, sws_uuid, sws_volume, and the
// magic in the last ten bytes of the page.
func TestHeaderOffsets(t *testing.T) {
	page := make([]byte, 4096)
	header{version: 0x04030201, lastPage: 0x14131211, uuid: [16]byte{0x21, 15: 0x2f}, label: "0123456789abcdef"}.put(page)
	for _, tc := range []struct {
		field  string
		offset int
		want   []byte
	}{
		{"bootbits", 0, make([]byte, 1024)},
		{"version", 1024, []byte{1, 2, 3, 4}},
		{"last_page", 1024 + 4, []byte{0x11, 0x12, 0x13, 0x14}},
		{"nr_badpages", 1024 + 8, make([]byte, 4)},
		{"sws_uuid", 1024 + 12, []byte{0x21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x2f}},
		{"sws_volume", 1024 + 28, []byte("0123456789abcdef")},
		{"padding and badpages", 1024 + 44, make([]byte, 4096-10-1024-44)},
		{"magic", 4096 - 10, []byte("SWAPSPACE2")},
	} {
		if got := page[tc.offset:][:len(tc.want)]; !bytes.Equal(got, tc.want) {
			t.Errorf("%s at %d: %x, want %x", tc.field, tc.offset, got, tc.want)
		}
	}
}

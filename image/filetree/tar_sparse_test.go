package filetree_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

// oldSparse is an archive with a file of 30,000 bytes in the old GNU format, that
// holds "abc" at 0 and "de" at 4096, and has an extended header.
var oldSparse = func() []byte {
	h := make([]byte, 512)
	copy(h, "sparse")
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], "00000000005\x0000000000000\x00        S")
	copy(h[257:], "ustar  \x00")
	copy(h[386:], "00000000000\x0000000000003\x00")
	h[482] = 1
	copy(h[483:], fmt.Sprintf("%011o\x00", 30000))
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	x := make([]byte, 512)
	copy(x, "00000010000\x0000000000002\x0000000072460\x0000000000000\x00")
	data := make([]byte, 512)
	copy(data, "abcde")
	return append(append(append(h, x...), data...), make([]byte, 1024)...)
}()

// sparse10 returns an archive with a file in format 1.0, of which the map and the
// sizes may be wrong.
func sparse10(t testing.TB, sparseMap string, stored, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	// tar.Writer refuses records of GNU.sparse: they are put in by hand.
	h := tar.Header{Typeflag: tar.TypeReg, Name: "x", Mode: 0o644, Size: stored, PAXRecords: map[string]string{
		"XXX.sparse.major": "1", "XXX.sparse.minor": "0", "XXX.sparse.name": "sparse", "XXX.sparse.realsize": fmt.Sprint(size),
	}}
	require.NoError(t, w.WriteHeader(&h))
	content := make([]byte, max(stored, 512))
	copy(content, sparseMap)
	copy(content[512:], "abcdefghijklmnopqrstuvwxyz")
	_, err := w.Write(content[:stored])
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return bytes.ReplaceAll(b.Bytes(), []byte("XXX.sparse"), []byte("GNU.sparse"))
}

func TestFromTarReadsSparseFiles(t *testing.T) {
	text := func(size int, data map[int]string) string {
		b := make([]byte, size)
		for at, s := range data {
			copy(b[at:], s)
		}
		return string(b)
	}
	for _, tt := range []struct {
		name    string
		archive []byte
		data    []filetree.Range
		want    string
	}{
		{"old", oldSparse, []filetree.Range{{Offset: 0, Length: 3}, {Offset: 4096, Length: 2}}, text(30000, map[int]string{0: "abc", 4096: "de"})},
		{"1.0", sparse10(t, "3\n0\n3\n4096\n2\n5000\n0\n", 512+5, 5000), []filetree.Range{{Offset: 0, Length: 3}, {Offset: 4096, Length: 2}}, text(5000, map[int]string{0: "abc", 4096: "de"})},
		{"1.0, adjacent", sparse10(t, "2\n1\n3\n4\n2\n", 512+5, 7), []filetree.Range{{Offset: 1, Length: 5}}, "\x00abcde\x00"},
		{"1.0, empty", sparse10(t, "0\n", 512, 7), nil, text(7, nil)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr, err := filetree.FromTar(bytes.NewReader(tt.archive))
			require.NoError(t, err)
			n := lookup(t, tr, "sparse")
			var data []filetree.Range
			for r := range n.Data() {
				data = append(data, r)
			}
			require.Equal(t, tt.data, data)
			got, err := read(t, n)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestFromTarRefusesBadSparseFiles(t *testing.T) {
	for _, tt := range []struct {
		name    string
		archive []byte
		want    string
	}{
		{"longer than the member", sparse10(t, "1\n0\n2000\n", 512+5, 5000), "tar sparse: sparse map: archive/tar: invalid tar header: its data is longer than the member"},
		{"behind the end", sparse10(t, "1\n4999\n2\n", 512+2, 5000), "tar: after 2048 bytes: archive/tar: invalid tar header"},
		{"out of order", sparse10(t, "2\n10\n2\n0\n2\n", 512+4, 5000), "tar: after 2048 bytes: archive/tar: invalid tar header"},
		{"no numbers", sparse10(t, "1\nx\ny\n", 512+4, 5000), "tar: after 2048 bytes: archive/tar: invalid tar header"},
		{"another version", bytes.Replace(sparse10(t, "0\n", 512, 0), []byte("sparse.major=1"), []byte("sparse.major=2"), 1), "tar x: sparse file of version 2.0: unsupported operation"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := filetree.FromTar(bytes.NewReader(tt.archive))
			require.EqualError(t, err, tt.want)
		})
	}
}

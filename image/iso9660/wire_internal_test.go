package iso9660

import (
	"context"
	"io/fs"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// at is what a structure has at an offset.
type at struct {
	name   string
	offset int
	bytes  string
}

func requireAt(t *testing.T, b []byte, fields []at) {
	t.Helper()
	for _, f := range fields {
		require.Equal(t, f.bytes, string(b[f.offset:f.offset+len(f.bytes)]), f.name)
	}
}

var made = time.Date(2024, 2, 29, 12, 34, 56, 780_000_000, time.FixedZone("", 3600))

// TestDirectoryRecord has the offsets of ECMA-119, 9.1, from 0.
func TestDirectoryRecord(t *testing.T) {
	b := appendRecord(nil, "A.B;1", extent{0x01020304, 0x05060708}, made, flagMore)
	require.Len(t, b, 38)
	requireAt(t, b, []at{
		{"length", 0, "\x26"}, {"extended attributes", 1, "\x00"}, {"location", 2, "\x04\x03\x02\x01\x01\x02\x03\x04"},
		{"data length", 10, "\x08\x07\x06\x05\x05\x06\x07\x08"}, {"date", 18, "\x7c\x02\x1d\x0b\x22\x38\x00"}, {"flags", 25, "\x80"},
		{"unit size, gap", 26, "\x00\x00"}, {"volume", 28, "\x01\x00\x00\x01"}, {"identifier", 32, "\x05A.B;1"},
	})
	require.Len(t, appendRecord(nil, "AB.B;1", extent{}, made, 0), 40)
}

// TestDescriptors has the offsets of ECMA-119, 8.4 and 8.5, and El Torito 1.0, figure
// 7, from 0.
func TestDescriptors(t *testing.T) {
	root := filetree.New()
	f := &FileSystem{Tree: root, VolumeID: "LABEL", SystemID: "SYSTEM", ApplicationID: "APP", Joliet: true, Boot: []BootEntry{{Path: "boot"}}}
	_, err := root.Add("boot", filetree.File(make([]byte, 2048), 0o644))
	require.NoError(t, err)
	v, err := f.Plan(context.Background(), volume.Geometry{SectorSize: 512, Time: made, Seed: uuid.Nil})
	require.NoError(t, err)
	list := v.(*plan).descriptors()
	require.Len(t, list, 4)
	common := []at{{"standard identifier", 1, "CD001\x01"}}
	for _, b := range list {
		require.Len(t, b, 2048)
		requireAt(t, b, common)
	}
	requireAt(t, list[0], []at{
		{"type", 0, "\x01"}, {"system", 8, "SYSTEM "}, {"volume", 40, "LABEL "}, {"unused", 72, "\x00\x00"},
		{"volume space size", 80, "\xb3\x00\x00\x00\x00\x00\x00\xb3"}, {"set size", 120, "\x01\x00\x00\x01"}, {"sequence number", 124, "\x01\x00\x00\x01"},
		{"block size", 128, "\x00\x08\x08\x00"}, {"path table size", 132, "\x0a\x00\x00\x00\x00\x00\x00\x0a"},
		{"path table L", 140, "\x14\x00\x00\x00\x00\x00\x00\x00"}, {"path table M", 148, "\x00\x00\x00\x15\x00\x00\x00\x00"},
		{"root", 156, "\x22\x00\x18\x00\x00\x00\x00\x00\x00\x18"}, {"volume set", 190, "    "}, {"application", 574, "APP "},
		{"creation", 813, "2024022911345678\x00"}, {"modification", 830, "2024022911345678\x00"}, {"expiration", 847, noTime}, {"effective", 864, noTime},
		{"file structure version", 881, "\x01\x00"},
	})
	requireAt(t, list[1], []at{{"type", 0, "\x00"}, {"system", 7, "EL TORITO SPECIFICATION\x00"}, {"catalog", 0x47, "\x1b\x00\x00\x00"}})
	requireAt(t, list[2], []at{{"type", 0, "\x02"}, {"volume", 40, "\x00L\x00A\x00B\x00E\x00L\x00 "}, {"escape sequences", 88, "%/E\x00"}})
	requireAt(t, list[3], []at{{"type", 0, "\xff"}})
	requireAt(t, v.(*plan).catalogBytes(), []at{
		{"validation", 0, "\x01\x00"}, {"checksum, key", 28, "\xaa\x55\x55\xaa"},
		{"entry", 32, "\x88\x00\x00\x00\x00\x00\x04\x00\x1c\x00\x00\x00"},
	})
}

// TestRockRidge has the entries of RRIP 1.12, 4.1, byte by byte.
func TestRockRidge(t *testing.T) {
	root := filetree.New()
	n, err := root.Add("n", filetree.Entry{Mode: fs.ModeDevice | 0o755, Device: filetree.Device{Major: 8, Minor: 1}, UID: 2, GID: 3, ModTime: made})
	require.NoError(t, err)
	var e entries
	e.addFile(n, 1, 7)
	e.addName("n")
	require.Equal(t, []string{
		"PX\x2c\x01" + both(0x61ed) + both(1) + both(2) + both(3) + both(7),
		"TF\x1a\x01\x0e\x7c\x02\x1d\x0b\x22\x38\x00\x7c\x02\x1d\x0b\x22\x38\x00\x7c\x02\x1d\x0b\x22\x38\x00",
		"PN\x14\x01" + both(0) + both(0x801),
		"NM\x06\x01\x00n",
	}, list(&e))
	e.reset()
	e.addTarget("/../a//b/.")
	require.Equal(t, []string{"SL\x13\x01\x00\x08\x00\x04\x00\x00\x01a\x00\x00\x00\x01b\x02\x00"}, list(&e))
}

func both(n uint32) string { return string(appendBoth(nil, n)) }

func list(e *entries) (all []string) {
	for i := range e.len() {
		all = append(all, string(e.at(i)))
	}
	return all
}

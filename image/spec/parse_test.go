package spec

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
)

// bare returns a spec without what is known of its file, to be compared.
func bare(s *Spec) *Spec {
	s.place, s.file, s.dir = place{}, "", ""
	for i := range s.Partitions {
		p := &s.Partitions[i]
		p.place = place{}
		if p.Content == nil {
			continue
		}
		p.Content.place = place{}
		for k := range p.Content.Files {
			f := &p.Content.Files[k]
			f.place = place{}
			for o := range f.Override {
				f.Override[o].place = place{}
			}
		}
	}
	for i := range s.Blobs {
		s.Blobs[i].place = place{}
	}
	return s
}

func TestLoad(t *testing.T) {
	s, err := Load("testdata/issue.yaml")
	require.NoError(t, err)
	require.Equal(t, "testdata", s.dir)
	text := "drivebay\n"
	require.Equal(t, &Spec{
		SectorSize: 512,
		Size:       2 << 30,
		Seed:       uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001"),
		Partitions: []Partition{
			{Name: "esp", Type: image.ESP, Size: Extent{Exact: 64 << 20}, Content: &Content{
				Format: "vfat", Label: "ESP", Files: []File{{From: "./esp", To: "/"}},
			}},
			{Name: "root", Type: image.RootX86_64, Free: Free{Percent: 25}, Content: &Content{
				Format: "ext4", Label: "root", Files: []File{
					{From: "./rootfs.tar.zst", To: "/"},
					{From: "./overlay", To: "/etc", Owner: &Owner{}, Exclude: []string{"*.bak"}},
					{Path: "/etc/hostname", Text: &text, Mode: ptr(Mode(0o644))},
					{Path: "/var/empty", Directory: true, Mode: ptr(Mode(0o555))},
					{Path: "/bin", Symlink: "usr/bin"},
				},
			}},
		},
	}, bare(s))
}

func ptr[T any](v T) *T { return &v }

// TestParse reads every key that there is.
func TestParse(t *testing.T) {
	const all = `
table: mbr
sector-size: 4096
size: 1.5GiB
align: 4K
seed: 8f1c2c3e-0000-4000-8000-000000000002
time: 2026-01-31T12:00:00+01:00
id: 0x1234abcd
partitions:
- name: a
  type: 0x0c
  id: 8f1c2c3e-0000-4000-8000-000000000003
  start: 1 MiB
  size: {min: 10MB, max: 20MB}
  free: 10% + 1GiB
  weight: 3
  attributes: [legacy-boot, grow-fs, bit-48]
  hybrid-type: "0x83"
  content: &fat
    format: vfat
    label: "007"
    volume-id: 1234-ABCD
    fat-type: 16
    cluster-size: 4096
    drop-unsupported: true
    files: []
- content:
    format: ext4
    label: |-
      two words
    uuid: 8f1c2c3e-0000-4000-8000-000000000004
    block-size: 1KiB
    inodes: 1000
    journal: none
    reserved: 2%
    files:
    - from: /src
      to: /
      exclude: ["*.o", /tmp/**]
      override:
      - {match: "*.sh", owner: "1:2", mode: 4755, time: 1}
      whiteouts: true
      owner: 1000:100
      mode: 0700
      time: 2026-01-31
    - {path: /dev/null, device: char 1:3}
    - {path: /dev/sda, device: b 8:0, xattrs: {user.a: text, user.b: 0x00ff, user.c: 0sAAE=}}
    - {path: /f, file: ./f}
    - {path: /l, link: /f}
    - {path: /p, fifo: true}
- content: *fat
- {content: {<<: *fat, label: OTHER}}
- content: {format: raw, file: ./raw}
blobs:
- {name: boot, offset: 0, file: ./boot.img}
`
	s, err := Parse("disk.yaml", strings.NewReader(all), "/dir")
	require.NoError(t, err)
	fat := Content{
		Format: "vfat", Label: "007", VolumeID: 0x1234abcd, FATType: 16, ClusterSize: 4096, DropUnsupported: true,
	}
	other := fat
	other.Label = "OTHER"
	require.Equal(t, &Spec{
		Table: image.MBR, SectorSize: 4096, Size: 3 << 29, Align: 4096,
		Seed: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000002"),
		Time: time.Date(2026, 1, 31, 11, 0, 0, 0, time.UTC),
		ID:   DiskID{0xcd, 0xab, 0x34, 0x12},
		Partitions: []Partition{
			{
				Name: "a", Type: "0x0c", ID: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000003"), Start: 1 << 20,
				Size: Extent{Min: 10e6, Max: 20e6}, Free: Free{Bytes: 1 << 30, Percent: 10}, Weight: 3,
				Attributes: []image.Attributes{image.LegacyBoot, image.GrowFS, 1 << 48}, HybridType: "0x83", Content: &fat,
			},
			{Content: &Content{
				Format: "ext4", Label: "two words", UUID: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000004"),
				BlockSize: 1024, Inodes: 1000, Journal: -1, Reserved: 2, Files: []File{
					{
						From: "/src", To: "/", Exclude: []string{"*.o", "/tmp/**"},
						Override:  []Override{{Match: "*.sh", Owner: &Owner{1, 2}, Mode: ptr(Mode(0o4755)), Time: time.Unix(1, 0).UTC()}},
						Whiteouts: true, Owner: &Owner{1000, 100}, Mode: ptr(Mode(0o700)), Time: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC),
					},
					{Path: "/dev/null", Device: &Device{Major: 1, Minor: 3}},
					{Path: "/dev/sda", Device: &Device{Block: true, Major: 8}, Xattrs: []Xattr{
						{"user.a", []byte("text")}, {"user.b", []byte{0, 255}}, {"user.c", []byte{0, 1}},
					}},
					{Path: "/f", File: "./f"},
					{Path: "/l", Link: "/f"},
					{Path: "/p", FIFO: true},
				},
			}},
			{Content: &fat},
			{Content: &other},
			{Content: &Content{Format: "raw", File: "./raw"}},
		},
		Blobs: []Blob{{Name: "boot", File: "./boot.img"}},
	}, bare(s))
}

func TestParseSize(t *testing.T) {
	for _, tc := range []struct {
		text string
		want Size // -1 is an error
	}{
		{"0", 0}, {"512", 512}, {"512B", 512}, {"4K", 4096}, {"4KiB", 4096}, {"4kB", 4000}, {"64 MiB", 64 << 20},
		{"1.5GiB", 3 << 29}, {"0.5KiB", 512}, {"2TB", 2e12}, {"7EiB", 7 << 60}, {"9223372036854775807", 1<<63 - 1},
		{"9223372036854775808", -1}, {"8EiB", -1}, {"1.0001KiB", -1}, {"", -1}, {"MiB", -1}, {"-1", -1}, {"+1", -1}, {"1e3", -1},
		{"010", -1}, {"0x10", -1}, {"1_000", -1}, {"1 gig", -1}, {"1mib", -1}, {"1 2MiB", -1}, {".5KiB", -1}, {"5.KiB", -1},
		{"1/2KiB", -1}, {" 1", -1}, {strings.Repeat("9", 100000), -1}, {"١MiB", -1},
	} {
		got, err := ParseSize(tc.text)
		if tc.want < 0 {
			require.Error(t, err, tc.text)
			continue
		}
		require.NoError(t, err, tc.text)
		require.Equal(t, tc.want, got, tc.text)
	}
}

package grub_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/grub"
	"github.com/drivebay/drivebay/image/volume"
)

// bootImg returns what has of boot.img what can be told from outside.
func bootImg() []byte {
	b := make([]byte, 512)
	copy(b, []byte{0xeb, 0x63, 0x90})
	copy(b[0x66:], []byte{0xeb, 0x05})
	copy(b[0x180:], "GRUB \x00")
	return b
}

// coreImg returns a core image of a number of bytes.
func coreImg(size int) []byte {
	b := bytes.Repeat([]byte{0xc0}, size)
	copy(b[500:], []byte{2, 0, 0, 0, 0, 0, 0, 0, byte((size+511)/512 - 1), 0, 0x20, 0x08})
	return b
}

func layout() image.Layout {
	return image.Layout{
		Partitions: []image.Partition{
			{Name: "esp", Type: image.ESP, Size: image.MiB},
			{Name: "bios", Type: image.BIOSBoot, Size: image.MiB, Content: grub.Core{Image: coreImg(1300)}},
		},
		Blobs: []image.Blob{{Name: "boot code", Locate: grub.BootCode{Image: bootImg()}.Locate}},
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "grub")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "disk.img")
	boot, core := bootImg(), coreImg(1300) // otherwise read from files
	plan, err := image.Build(context.Background(), name, image.Layout{
		Partitions: []image.Partition{
			{Name: "bios", Type: image.BIOSBoot, Size: image.MiB, Content: grub.Core{Image: core}},
		},
		Blobs: []image.Blob{{Name: "boot code", Locate: grub.BootCode{Image: boot}.Locate}},
	}, image.Options{})
	if err != nil {
		log.Fatal(err)
	}
	disk, err := os.ReadFile(name)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the boot code loads sector", binary.LittleEndian.Uint64(disk[0x5c:]))
	fmt.Println("and that loads what begins at sector", binary.LittleEndian.Uint64(disk[plan.Partitions[0].Start+500:]))
	// Output:
	// the boot code loads sector 2048
	// and that loads what begins at sector 2049
}

// TestSectors finds the sectors in an image where they belong, and nothing else
// changed.
func TestSectors(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(l *image.Layout)
		core   int64 // the sector that it is at
	}{
		{"second partition", func(*image.Layout) {}, 4096},
		{"moved", func(l *image.Layout) { l.Partitions[1].Start = 8*image.MiB + 512 }, 16385},
		{"by GUID", func(l *image.Layout) { l.Partitions[1].Type = "21686148-6449-6e6f-744e-656564454649" }, 4096},
		{"behind an MBR", func(l *image.Layout) {
			l.Table = image.MBR
			l.Partitions = l.Partitions[:1]
			l.Blobs = []image.Blob{
				{Locate: grub.BootCode{Image: bootImg(), CoreOffset: 1024}.Locate},
				{Offset: 1024, Content: grub.Core{Image: coreImg(1300)}},
			}
		}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := layout()
			tc.change(&l)
			name := t.TempDir() + "/disk.img"
			_, err := image.Build(t.Context(), name, l, image.Options{})
			require.NoError(t, err)
			got, err := os.ReadFile(name)
			require.NoError(t, err)

			boot, core := bootImg(), coreImg(1300)
			binary.LittleEndian.PutUint64(boot[0x5c:], uint64(tc.core))
			copy(boot[0x66:], []byte{0x90, 0x90})
			binary.LittleEndian.PutUint64(core[500:], uint64(tc.core+1))
			require.Equal(t, boot[:440], got[:440])
			require.Equal(t, core, got[tc.core*512:][:len(core)])
		})
	}
}

func TestErrors(t *testing.T) {
	boot := func(change func(c *grub.BootCode)) func(*image.Layout) {
		return func(l *image.Layout) {
			c := grub.BootCode{Image: bootImg()}
			change(&c)
			l.Blobs[0].Locate = c.Locate
		}
	}
	core := func(b []byte) func(*image.Layout) {
		return func(l *image.Layout) { l.Partitions[1].Content = grub.Core{Image: b} }
	}
	large := &volume.SizeError{}
	for _, tc := range []struct {
		name   string
		change func(l *image.Layout)
		is     error
		text   string
	}{
		{"boot code cut off", boot(func(c *grub.BootCode) { c.Image = c.Image[:440] }), grub.ErrNotBootCode, "blob 1 (boot code): content: not GRUB's boot code: it has 440 bytes, want 512"},
		{"other boot code", boot(func(c *grub.BootCode) { c.Image[0] = 0xfa }), grub.ErrNotBootCode, "it begins with fa6390, want eb6390"},
		{"installed boot code", boot(func(c *grub.BootCode) { c.Image[0x66] = 0x90 }), grub.ErrNotBootCode, "the byte at 0x66 is 0x90, want 0xeb"},
		{"no text", boot(func(c *grub.BootCode) { c.Image[0x180] = 0 }), grub.ErrNotBootCode, `it has no text "GRUB \x00"`},
		{"no partition", func(l *image.Layout) { l.Partitions[1].Type = image.Root }, grub.ErrNoCore, "want a partition of type bios-boot, or an offset"},
		{"odd offset", boot(func(c *grub.BootCode) { c.CoreOffset = 700 }), grub.ErrNoCore, "no place of the core image at offset 700: want a multiple of 512"},
		{"boot code and sectors of 4096", func(l *image.Layout) { l.SectorSize = 4096; l.Partitions[1].Content = nil }, grub.ErrSectorSize, "blob 1 (boot code): content: sectors of 4096 bytes"},
		{"core and sectors of 4096", func(l *image.Layout) { l.SectorSize = 4096 }, grub.ErrSectorSize, "sectors of 4096 bytes: GRUB boots by BIOS from sectors of 512 bytes only"},
		{"core of one sector", core(make([]byte, 512)), grub.ErrNotCore, "it has 512 bytes, want more than the first sector's 512"},
		{"core for EFI", core([]byte(fmt.Sprintf("MZ%1000d", 0))), grub.ErrNotCore, "not a core image of GRUB for i386-pc: it is loaded to segment 0x2020, want 0x820"},
		{"core cut off", core(coreImg(1300)[:1024]), grub.ErrNotCore, "its first sector tells of 2 others, want the 1 that it has"},
		{"core larger than its partition", func(l *image.Layout) { l.Partitions[1].Size = 1024 }, large, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := layout()
			tc.change(&l)
			_, err := l.Plan(t.Context())
			if tc.is == large {
				require.ErrorAs(t, err, &large)
				return
			}
			require.ErrorIs(t, err, tc.is)
			require.ErrorContains(t, err, tc.text)
		})
	}
}

// TestSources wants what a layout is made of to stay as it is.
func TestSources(t *testing.T) {
	boot, core := bootImg(), coreImg(1300)
	l := layout()
	l.Partitions[1].Content = grub.Core{Image: core}
	l.Blobs[0].Locate = grub.BootCode{Image: boot}.Locate
	for range 2 {
		_, err := l.Plan(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, bootImg(), boot)
	require.Equal(t, coreImg(1300), core)
}

package parttable

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"
)

// Offsets in a header and an entry, from UEFI 2.10, Tables 5.5 and 5.6, and in
// an MBR, from Table 5.1.
const (
	headerSizeAt, headerCRCAt, myLBAAt             = 12, 16, 24
	arrayLBAAt, entriesAt, entrySizeAt, arrayCRCAt = 72, 80, 84, 88
	firstLBAAt, lastLBAAt                          = 32, 40
)

// gptDisk makes a disk with a protective MBR and both tables, with partitions
// 1 (blocks 40 to 47) and 3 (block 50).
func gptDisk(blocks, bs int) []byte {
	disk := make([]byte, blocks*bs)
	disk[450], disk[510], disk[511] = 0xee, 0x55, 0xaa
	binary.LittleEndian.PutUint32(disk[454:], 1)
	binary.LittleEndian.PutUint32(disk[458:], uint32(blocks-1))
	array := make([]byte, 8*128)
	for i, r := range map[int][2]uint64{0: {40, 47}, 2: {50, 50}} {
		array[i*128] = 1
		binary.LittleEndian.PutUint64(array[i*128+firstLBAAt:], r[0])
		binary.LittleEndian.PutUint64(array[i*128+lastLBAAt:], r[1])
	}
	for _, t := range []struct{ header, array int }{{1, 2}, {blocks - 1, blocks - 1 - (len(array)+bs-1)/bs}} {
		h := disk[t.header*bs:][:bs]
		copy(h, "EFI PART")
		binary.LittleEndian.PutUint32(h[headerSizeAt:], 92)
		binary.LittleEndian.PutUint64(h[myLBAAt:], uint64(t.header))
		binary.LittleEndian.PutUint64(h[arrayLBAAt:], uint64(t.array))
		binary.LittleEndian.PutUint32(h[entriesAt:], 8)
		binary.LittleEndian.PutUint32(h[entrySizeAt:], 128)
		copy(disk[t.array*bs:], array)
		seal(disk, t.header, bs)
	}
	return disk
}

// seal makes the check sums of the table whose header is in block lba right,
// as far as the header allows.
func seal(disk []byte, lba, bs int) {
	h := disk[lba*bs:][:bs]
	le := binary.LittleEndian
	at, n := le.Uint64(h[arrayLBAAt:])*uint64(bs), uint64(le.Uint32(h[entriesAt:]))*uint64(le.Uint32(h[entrySizeAt:]))
	if at < uint64(len(disk)) && n <= uint64(len(disk))-at {
		le.PutUint32(h[arrayCRCAt:], crc32.ChecksumIEEE(disk[at:at+n]))
	}
	clear(h[headerCRCAt : headerCRCAt+4])
	if size := le.Uint32(h[headerSizeAt:]); int(size) <= bs {
		le.PutUint32(h[headerCRCAt:], crc32.ChecksumIEEE(h[:size]))
	}
}

func TestGPT(t *testing.T) {
	const blocks = 64
	le := binary.LittleEndian
	for _, bs := range []int{512, 1024, 2048, 4096} {
		good := []Entry{{1, 40 * int64(bs), 8 * int64(bs)}, {3, 50 * int64(bs), int64(bs)}}
		primary := func(at int, b byte) func([]byte) { return func(d []byte) { d[bs+at] ^= b } }
		// sealed changes the primary header and makes its check sums right, and
		// destroys the backup.
		sealed := func(change func(h []byte)) func([]byte) {
			return func(d []byte) {
				change(d[bs : 2*bs])
				seal(d, 1, bs)
				d[(blocks-1)*bs] = 0
			}
		}
		for _, tc := range []struct {
			name    string
			damage  func([]byte)
			want    []Entry
			damaged string // part of the error
		}{
			{"good", func([]byte) {}, good, ""},
			{"no signature", primary(0, 1), good, ""},
			{"header check sum", primary(56, 1), good, ""},
			{"check sum of entries", func(d []byte) { d[2*bs+60] ^= 1 }, good, ""},
			{"backup only damaged", func(d []byte) { d[(blocks-1)*bs+60] ^= 1 }, good, ""},
			{"both damaged", func(d []byte) { d[bs]++; d[(blocks-1)*bs+60] ^= 1 }, nil, "backup GPT: damaged: header has CRC"},
			{"no protective MBR", func(d []byte) { d[450] = 0 }, nil, ""},
			{"no signature of the MBR", func(d []byte) { d[510] = 0 }, nil, ""},
			{"hybrid MBR", func(d []byte) { copy(d[462:], "\x80\x00\x00\x00\x83\x00\x00\x00\x28\x00\x00\x00\x08\x00\x00\x00") }, good, ""},
			{"header in another block", sealed(func(h []byte) { h[myLBAAt] = 2 }), nil, "says that it is in block 2"},
			{"header of 91 bytes", sealed(func(h []byte) { h[headerSizeAt] = 91 }), nil, "header of 91 bytes"},
			{"header beyond the block", sealed(func(h []byte) { le.PutUint32(h[headerSizeAt:], uint32(bs+1)) }), nil, "in a block of"},
			{"entries of 64 bytes", sealed(func(h []byte) { h[entrySizeAt] = 64 }), nil, "entries of 64 bytes"},
			{"entries of 192 bytes", sealed(func(h []byte) { h[entrySizeAt] = 192 }), nil, "entries of 192 bytes"},
			{"too many entries", sealed(func(h []byte) { le.PutUint32(h[entriesAt:], 1<<31) }), nil, "more than 4194304 bytes"},
			{"entries beyond the disk", sealed(func(h []byte) { le.PutUint64(h[arrayLBAAt:], 1<<62) }), nil, "leave the disk"},
			{"ends before its start", func(d []byte) {
				le.PutUint64(d[2*bs+lastLBAAt:], 39)
				seal(d, 1, bs)
				d[(blocks-1)*bs] = 0
			}, nil, "partition 1 ends at block 39, before its start at 40"},
			{"beyond every disk", func(d []byte) {
				le.PutUint64(d[2*bs+lastLBAAt:], 1<<63)
				seal(d, 1, bs)
				d[(blocks-1)*bs] = 0
			}, nil, "beyond every disk"},
		} {
			t.Run(tc.name, func(t *testing.T) {
				disk := gptDisk(blocks, bs)
				tc.damage(disk)
				got, err := Read(bytes.NewReader(disk), int64(len(disk)), bs)
				if tc.damaged != "" {
					require.ErrorIs(t, err, ErrDamaged)
					require.ErrorContains(t, err, tc.damaged)
					return
				}
				require.NoError(t, err)
				require.Equal(t, tc.want, got)
			})
		}
	}
}

func TestGPTOfAnotherBlockSize(t *testing.T) {
	disk := gptDisk(64, 4096)
	_, err := Read(bytes.NewReader(disk), int64(len(disk)), 512)
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, "made for blocks of 4096 bytes, the device has blocks of 512")
}

// record is an entry of an MBR: type, start and count.
type record struct {
	kind         byte
	start, count uint32
}

// putRecord writes an MBR or EBR into block lba.
func putRecord(disk []byte, lba int, records ...record) {
	b := disk[lba*512:]
	b[510], b[511] = 0x55, 0xaa
	for i, r := range records {
		e := b[446+16*i:]
		e[4] = r.kind
		binary.LittleEndian.PutUint32(e[8:], r.start)
		binary.LittleEndian.PutUint32(e[12:], r.count)
	}
}

func TestMBR(t *testing.T) {
	fat := append([]byte("\xeb\x3c\x90mkfs.fat"), 0, 2, 4, 4, 0, 2, 0, 2, 0, 0x80, 0xf8)
	for _, tc := range []struct {
		name    string
		make    func(d []byte)
		want    []Entry
		damaged string
	}{
		{"nothing", func([]byte) {}, nil, ""},
		{"no partition", func(d []byte) { putRecord(d, 0) }, nil, ""},
		{"two", func(d []byte) { putRecord(d, 0, record{0x83, 8, 8}, record{}, record{0xc, 16, 1}) },
			[]Entry{{1, 4096, 4096}, {3, 8192, 512}}, ""},
		{"active", func(d []byte) { putRecord(d, 0, record{0x83, 8, 8}); d[446] = 0x80 }, []Entry{{1, 4096, 4096}}, ""},
		{"no status", func(d []byte) { putRecord(d, 0, record{0x83, 8, 8}); d[446] = 0x21 }, nil, ""},
		{"the boot sector of FAT", func(d []byte) { putRecord(d, 0, record{0x83, 8, 8}); copy(d, fat) }, nil, ""},
		{"the boot sector of NTFS", func(d []byte) { putRecord(d, 0, record{0x83, 8, 8}); copy(d, "\xeb\x52\x90NTFS    ") }, nil, ""},
		{"the boot sector of exFAT", func(d []byte) { putRecord(d, 0, record{0x83, 8, 8}); copy(d, "\xeb\x76\x90EXFAT   ") }, nil, ""},
		{"a boot loader", func(d []byte) { putRecord(d, 0, record{0x83, 8, 8}); copy(d, "\xeb\x63\x90") }, []Entry{{1, 4096, 4096}}, ""},
		{"a partition without blocks", func(d []byte) { putRecord(d, 0, record{0x83, 8, 0}) }, nil, ""},
		{"2 TiB", func(d []byte) { putRecord(d, 0, record{0x83, 1<<32 - 1, 1<<32 - 1}) },
			[]Entry{{1, (1<<32 - 1) * 512, (1<<32 - 1) * 512}}, ""},
		{"logical", func(d []byte) {
			putRecord(d, 0, record{0x83, 1, 1}, record{0x0f, 10, 50})
			putRecord(d, 10, record{0x83, 1, 2}, record{0x05, 10, 10})
			putRecord(d, 20, record{0x83, 1, 3}, record{0x05, 30, 10})
			putRecord(d, 40, record{0x82, 1, 4})
		}, []Entry{{1, 512, 512}, {2, 5120, 1024}, {5, 11 * 512, 1024}, {6, 21 * 512, 1536}, {7, 41 * 512, 2048}}, ""},
		{"an empty record in the chain", func(d []byte) {
			putRecord(d, 0, record{0x05, 10, 50})
			putRecord(d, 10, record{}, record{0x05, 10, 10})
			putRecord(d, 20, record{0x83, 1, 3})
		}, []Entry{{1, 5120, 1024}, {5, 21 * 512, 1536}}, ""},
		{"an extended partition never written", func(d []byte) { putRecord(d, 0, record{0x05, 10, 50}) },
			[]Entry{{1, 5120, 1024}}, ""},
		{"an extended partition of one block", func(d []byte) { putRecord(d, 0, record{0x05, 10, 1}) },
			[]Entry{{1, 5120, 512}}, ""},
		{"a chain that bites its tail", func(d []byte) {
			putRecord(d, 0, record{0x05, 10, 50})
			putRecord(d, 10, record{0x83, 1, 1}, record{0x05, 10, 10})
			putRecord(d, 20, record{0x83, 1, 1}, record{0x05, 0, 10})
		}, nil, "comes back to block 10"},
		{"an extended partition in block 0", func(d []byte) { putRecord(d, 0, record{0x05, 0, 50}) },
			nil, "comes back to block 0"},
		{"a chain out of the disk", func(d []byte) {
			putRecord(d, 0, record{0x05, 10, 50})
			putRecord(d, 10, record{0x83, 1, 1}, record{0x05, 1000, 10})
		}, nil, "record in block 1010 of 64"},
		{"a chain to nowhere", func(d []byte) {
			putRecord(d, 0, record{0x05, 10, 50})
			putRecord(d, 10, record{0x83, 1, 1}, record{0x05, 20, 10})
		}, nil, "no extended boot record in block 30"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			disk := make([]byte, 64*512)
			tc.make(disk)
			got, err := Read(bytes.NewReader(disk), int64(len(disk)), 512)
			if tc.damaged != "" {
				require.ErrorIs(t, err, ErrDamaged)
				require.ErrorContains(t, err, tc.damaged)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestLongChain(t *testing.T) {
	disk := make([]byte, 600*512)
	putRecord(disk, 0, record{0x05, 1, 599})
	for i := range 299 {
		putRecord(disk, 1+2*i, record{0x83, 1, 1}, record{0x05, uint32(2 * (i + 1)), 2})
	}
	_, err := Read(bytes.NewReader(disk), int64(len(disk)), 512)
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, "numbers end at 255")
}

func TestSmallDisks(t *testing.T) {
	for _, size := range []int{0, 511, 512, 1024, 1536} {
		disk := gptDisk(64, 512)[:size]
		got, err := Read(bytes.NewReader(disk), int64(size), 512)
		require.Empty(t, got)
		if size >= 512 {
			require.ErrorIs(t, err, ErrDamaged, "%d bytes", size)
			continue
		}
		require.NoError(t, err, "%d bytes", size)
	}
}

func TestBadBlockSize(t *testing.T) {
	for _, bs := range []int{-512, 0, 256, 513, 1 << 17} {
		_, err := Read(bytes.NewReader(nil), 1<<20, bs)
		require.ErrorContains(t, err, "want a power of two from 512 to 65536")
	}
}

// FuzzRead wants no panic, no endless loop, and entries that a caller can
// compute with.
func FuzzRead(f *testing.F) {
	for _, bs := range []int{512, 4096} {
		f.Add(gptDisk(8, bs), uint8(bs/512))
	}
	mbr := make([]byte, 24*512)
	putRecord(mbr, 0, record{0x83, 1, 1}, record{0x0f, 10, 50})
	putRecord(mbr, 10, record{0x83, 1, 2}, record{0x05, 10, 10})
	putRecord(mbr, 20, record{0x83, 1, 3})
	f.Add(mbr, uint8(1))
	f.Fuzz(func(t *testing.T, disk []byte, blocks uint8) {
		disk = bytes.Clone(disk) // the fuzzer minds changes
		bs := int(blocks) * 512
		if bs > 0 && len(disk) >= 2*bs && binary.LittleEndian.Uint32(disk[bs+headerSizeAt:]) == 92 {
			seal(disk, 1, bs) // or no mutation ever gets past the check sums
		}
		entries, err := Read(bytes.NewReader(disk), int64(len(disk)), bs)
		if err != nil {
			return
		}
		last := 0
		for _, e := range entries {
			if e.Number <= last || e.Number > MaxNumber || e.Start < 0 || e.Size <= 0 || e.Start+e.Size < 0 {
				t.Fatalf("entries %v", entries)
			}
			last = e.Number
		}
	})
}

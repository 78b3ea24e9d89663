package drives

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
)

// A protected is a namespace with protection information, two blocks of data with
// it, and where they lie.
type protected struct {
	*nvme.Namespace
	device   string
	kind     uint8
	first    bool
	extended bool
	tags     nvme.Protection
	data     []byte // without metadata
}

const protectedLBA = 5

// check are the options that let the drive check all that it can.
func (p *protected) check() nvme.IOOptions {
	o := nvme.IOOptions{
		Protect:        nvme.CheckGuard | nvme.CheckApplicationTag | nvme.CheckReferenceTag,
		ApplicationTag: p.tags.ApplicationTag, ApplicationMask: 0xffff, ReferenceTag: p.tags.ReferenceTag,
	}
	if p.kind == 3 {
		o.Protect &^= nvme.CheckReferenceTag // it is not the drive's to check
	}
	return o
}

// buffers returns zeroed buffers for the two blocks.
func (p *protected) buffers() (data, metadata []byte) {
	data = make([]byte, 2*p.BlockBytes())
	if !p.extended {
		metadata = make([]byte, 2*int(p.Format().MetadataSize))
	}
	return data, metadata
}

// plain returns the blocks with zeroed metadata.
func (p *protected) plain() (data, metadata []byte) {
	data, metadata = p.buffers()
	block := p.Format().BlockSize()
	for i := range 2 {
		copy(data[i*p.BlockBytes():], p.data[i*block:][:block])
	}
	return data, metadata
}

// made returns the blocks with the protection information that we make.
func (p *protected) made(t *testing.T) (data, metadata []byte) {
	t.Helper()
	data, metadata = p.plain()
	require.NoError(t, p.Protect(data, metadata, p.tags))
	return data, metadata
}

// tuple returns the protection information of the first block.
func (p *protected) tuple(data, metadata []byte, size int) []byte {
	if p.extended {
		metadata = data[p.Format().BlockSize():p.BlockBytes()]
	}
	if metadata = metadata[:p.Format().MetadataSize]; p.first {
		return metadata[:size]
	}
	return metadata[len(metadata)-size:]
}

// read reads the blocks with their protection information.
func (p *protected) read(t *testing.T) (data, metadata []byte) {
	t.Helper()
	data, metadata = p.buffers()
	o := p.check()
	o.Metadata = metadata
	require.NoError(t, p.Read(t.Context(), protectedLBA, data, o))
	return data, metadata
}

// requireCLI wants nvme-cli to read the same.
func (p *protected) requireCLI(t *testing.T, data, metadata []byte) {
	t.Helper()
	o := p.check()
	if o.ReferenceTag>>32 != 0 {
		return // libnvme 1.3 sends the upper bits in the wrong place
	}
	files := []string{filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "metadata")}
	args := []string{
		"read", p.device, "-n", "1", "-s", fmt.Sprint(protectedLBA), "-c", "1", "-z", fmt.Sprint(len(data)), "-d", files[0],
		"-p", fmt.Sprint(uint8(o.Protect)), "-r", fmt.Sprint(uint32(o.ReferenceTag)), "-a", fmt.Sprint(o.ApplicationTag), "-m", "0xffff",
	}
	if !p.extended {
		args = append(args, "-y", fmt.Sprint(len(metadata)), "-M", files[1])
	}
	_, err := run(t, args...)
	require.NoError(t, err)
	for i, ours := range [][]byte{data, metadata} {
		if len(ours) > 0 {
			theirs, err := os.ReadFile(files[i])
			require.NoError(t, err)
			require.True(t, bytes.Equal(theirs, ours), filepath.Base(files[i]))
		}
	}
}

// Formats with protection information of each type, at either end of metadata
// of 8 and of 16 bytes, in the blocks and apart.
func TestProtection(t *testing.T) {
	c, path := drive(t)
	for _, format := range []int{1, 2, 5} { // 512+8, 512+16 and 4096+8 bytes
		for _, o := range combinations(format, 8) {
			if o.Protection == 0 {
				continue
			}
			for _, extended := range []bool{false, true} {
				o.ExtendedLBA = extended
				t.Run(fmt.Sprintf("format %d, type %d, first %t, extended %t", format, o.Protection, o.ProtectionFirst, extended), func(t *testing.T) {
					require.NoError(t, c.Format(t.Context(), o))
					ns, err := c.Namespace(t.Context(), 1)
					require.NoError(t, err)
					p := &protected{Namespace: ns, device: path + "n1", kind: o.Protection, first: o.ProtectionFirst, extended: extended,
						tags: nvme.Protection{ApplicationTag: 0x1122, ReferenceTag: protectedLBA},
						data: bytes.Repeat([]byte("drivebay"), 2*ns.Format().BlockSize()/8)}
					p.test(t, 8)
				})
			}
		}
	}
	require.NoError(t, c.Format(t.Context(), nvme.FormatOptions{NSID: 1}))
}

// A namespace with a guard of 64 bits, which QEMU makes at its start.
func TestProtectionOf64Bits(t *testing.T) {
	c, path := open(t, "DRIVEBAY_DRIVE_GUARD64")
	ns, err := c.Namespace(t.Context(), 1)
	require.NoError(t, err)
	p := &protected{Namespace: ns, device: path + "n1", kind: 2,
		tags: nvme.Protection{ApplicationTag: 0x1122, ReferenceTag: 0x123456789abc},
		data: bytes.Repeat([]byte("drivebay"), 2*ns.Format().BlockSize()/8)}
	p.test(t, 16)
}

// test uses the namespace; size is that of the protection information.
func (p *protected) test(t *testing.T, size int) {
	p.testAction(t, size)
	p.testWrong(t, size)
	p.write(t)
	p.testCopy(t)
	want, wantMetadata := p.made(t)
	data, metadata := p.read(t)
	require.Equal(t, want, data)
	require.Equal(t, wantMetadata, metadata)
	p.requireCLI(t, data, metadata)
	require.NoError(t, p.Verify(t.Context(), protectedLBA, 2, p.check()))
}

// write writes the blocks with the information that we make, all of it checked.
func (p *protected) write(t *testing.T) {
	t.Helper()
	o := p.check()
	var data []byte
	data, o.Metadata = p.made(t)
	require.NoError(t, p.Write(t.Context(), protectedLBA, data, o))
}

// testAction lets the drive make the information, and finds what we would make.
func (p *protected) testAction(t *testing.T, size int) {
	o := p.check()
	o.Protect |= nvme.ProtectionAction
	data, metadata := p.plain()
	if int(p.Format().MetadataSize) == size {
		data, metadata = slices.Clone(p.data), nil // the drive makes all the metadata
	}
	o.Metadata = metadata
	require.NoError(t, p.Write(t.Context(), protectedLBA, data, o))
	want, wantMetadata := p.made(t)
	got, gotMetadata := p.read(t)
	require.Equal(t, want, got, "made by the drive")
	require.Equal(t, wantMetadata, gotMetadata, "made by the drive")

	back := make([]byte, len(data))
	o.Metadata = make([]byte, len(metadata))
	require.NoError(t, p.Read(t.Context(), protectedLBA, back, o))
	block := p.Format().BlockSize()
	require.Equal(t, p.data[:block], back[:block])
}

// testWrong writes information that is wrong in one of its parts, and reads by a
// wrong tag: the drive tells which.
func (p *protected) testWrong(t *testing.T, size int) {
	spoiled := map[int]nvme.Status{0: nvme.StatusGuardCheck, size - 1: nvme.StatusRefTagCheck}
	spoiled[map[int]int{8: 3, 16: 9}[size]] = nvme.StatusAppTagCheck
	if p.kind == 3 {
		delete(spoiled, size-1)
	}
	for at, want := range spoiled {
		o := p.check()
		var data []byte
		data, o.Metadata = p.made(t)
		p.tuple(data, o.Metadata, size)[at] ^= 1
		require.ErrorIs(t, p.Write(t.Context(), protectedLBA, data, o), want, "byte %d", at)
	}
	o := p.check()
	o.ReferenceTag++
	want := map[uint8]error{1: nvme.StatusInvalidProtection, 2: nvme.StatusRefTagCheck}[p.kind]
	require.ErrorIs(t, p.Verify(t.Context(), protectedLBA, 2, o), want, "type 1 wants the LBA, type 3 does not care")
}

// testCopy copies the blocks and lets the drive make information anew.
func (p *protected) testCopy(t *testing.T) {
	const lba = 50
	o := p.check()
	o.Protect |= nvme.ProtectionAction
	o.SourceProtect = o.Protect
	if p.kind == 1 {
		o.ReferenceTag = lba
	}
	source := nvme.CopySource{
		LBA: protectedLBA, Blocks: 2, ReferenceTag: p.tags.ReferenceTag,
		ApplicationTag: p.tags.ApplicationTag, ApplicationMask: 0xffff,
	}
	require.NoError(t, p.Copy(t.Context(), lba, o, source))
	o.Protect &^= nvme.ProtectionAction
	require.NoError(t, p.Verify(t.Context(), lba, 2, o), "of the copy")

	// Of a check that fails within a copy QEMU 7.2 tells nothing but that.
	o.Protect |= nvme.ProtectionAction
	wrong := source
	wrong.ApplicationTag ^= 0x100
	require.ErrorIs(t, p.Copy(t.Context(), lba, o, wrong), nvme.StatusInternalError)
	if p.kind == 2 {
		wrong = source
		wrong.ReferenceTag ^= 1 << 31
		require.ErrorIs(t, p.Copy(t.Context(), lba, o, wrong), nvme.StatusInternalError)
	}
}

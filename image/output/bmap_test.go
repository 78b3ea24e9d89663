package output_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/output"
	"github.com/drivebay/drivebay/image/volume"
)

// TestBmap has bmaptool verify the map, and copy a disk by it.
func TestBmap(t *testing.T) {
	const block = output.BmapBlockSize
	disk := make([]byte, 3*mib+512)
	for _, e := range []volume.Extent{{Offset: 0, Length: 440}, {Offset: 10 * block, Length: 3 * block}, {Offset: 3 * mib, Length: 512}} {
		for i := e.Offset; i < e.End(); i++ {
			disk[i] = byte(i%251) + 1
		}
	}
	m, err := output.NewBmap(int64(len(disk)), []volume.Extent{
		{Offset: 0, Length: 440}, {Offset: 441, Length: 100}, {Offset: 5000, Length: 1}, // of blocks that touch
		{Offset: 9 * block, Length: 5*block - 1}, // zeros at both ends
		{Offset: mib, Length: 0},
		{Offset: 2 * mib, Length: block}, // zeros alone
		{Offset: 3 * mib, Length: 512},   // the end, not a whole block
	})
	require.NoError(t, err)
	v := volume.NewWriter(m, int64(len(disk)))
	defer v.Close()
	_, err = v.Write(disk)
	require.NoError(t, err)
	require.NoError(t, v.Flush())
	var b bytes.Buffer
	_, err = m.WriteTo(&b)
	require.NoError(t, err)

	text := regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAllString(b.String(), "-")
	require.Equal(t, `<?xml version="1.0" ?>
<bmap version="2.0">
    <!-- What is not listed here holds nothing that matters. -->
    <ImageSize> 3146240 </ImageSize>
    <BlockSize> 4096 </BlockSize>
    <BlocksCount> 769 </BlocksCount>
    <MappedBlocksCount> 9 </MappedBlocksCount>
    <ChecksumType> sha256 </ChecksumType>
    <BmapFileChecksum> - </BmapFileChecksum>
    <BlockMap>
        <Range chksum="-"> 0-1 </Range>
        <Range chksum="-"> 9-13 </Range>
        <Range chksum="-"> 512 </Range>
        <Range chksum="-"> 768 </Range>
    </BlockMap>
</bmap>
`, text)

	name := writeRaw(t, disk)
	require.NoError(t, os.WriteFile(name+".bmap", b.Bytes(), 0o644))
	out := filepath.Join(t.TempDir(), "copy")
	run(t, "bmaptool", "copy", "--bmap", name+".bmap", name, out)
	require.True(t, bytes.Equal(disk, readAll(t, out)))
}

// TestBmapRefuses wants what is written where nothing should be to be an error.
func TestBmapRefuses(t *testing.T) {
	_, err := output.NewBmap(mib, []volume.Extent{{Offset: 0, Length: mib + 1}})
	require.EqualError(t, err, "bmap: extent {0 1048577}: want one on the disk of 1048576 bytes")

	for off, length := range map[int64]int{8192: 4096, 0: 8193, mib: 1} {
		m, err := output.NewBmap(mib, []volume.Extent{{Offset: 0, Length: 8192}})
		require.NoError(t, err)
		_, err = m.WriteAt(make([]byte, length), off)
		require.ErrorContains(t, err, "want none where the plan says that nothing is")
	}
}

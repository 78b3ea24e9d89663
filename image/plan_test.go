package image_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/fixture/mount"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
)

const (
	kib = image.KiB
	mib = image.MiB
	gib = image.GiB
)

// treeOf returns a tree with one file of a size that holds nothing.
func treeOf(t *testing.T, name string, size int64) *filetree.Tree {
	t.Helper()
	tree := filetree.New()
	_, err := tree.Add(name, filetree.Entry{Mode: 0o644, Size: size, Data: []filetree.Range{}})
	require.NoError(t, err)
	return tree
}

// fullTree returns a tree with one file of a size that is all data.
func fullTree(t *testing.T, name string, size int64) *filetree.Tree {
	t.Helper()
	tree := filetree.New()
	_, err := tree.Add(name, filetree.Entry{Mode: 0o644, Size: size, Data: []filetree.Range{{Length: size}}})
	require.NoError(t, err)
	return tree
}

func TestPlanRefuses(t *testing.T) {
	one := func(p image.Partition) image.Layout { return image.Layout{Partitions: []image.Partition{p}} }
	for _, tc := range []struct {
		name   string
		layout image.Layout
		want   string
	}{
		{"disk too small for its table", image.Layout{Size: 16 * kib},
			"disk: size 16384: want more than the 34304 bytes that the partition table takes"},
		{"odd size", image.Layout{Size: 1000}, "disk: size 1000: want a multiple of the sector size, 512"},
		{"odd sectors", image.Layout{SectorSize: 520}, "disk: sector size 520: want 512 or 4096"},
		{"odd alignment", image.Layout{Align: 100}, "disk: align 100: want a multiple of the sector size, 512"},
		{"five partitions in an MBR", image.Layout{Table: image.MBR, Partitions: make([]image.Partition, 5)},
			"disk: partitions 5: want at most 4 in a table of type mbr"},
		{"partition larger than the disk", image.Layout{Size: 10 * mib, Partitions: []image.Partition{{Name: "big", Size: 20 * mib}}},
			"partition 1 (big): size 20971520: disk: content needs 20971520 bytes, volume has 9420288: 11551232 too few"},
		{"content larger than the partition", one(image.Partition{Name: "r", Size: mib, Content: &ext4.FileSystem{Tree: fullTree(t, "f", 2*mib)}}),
			"partition 1 (r): size 1048576: ext4: content needs"},
		{"overlap", image.Layout{Partitions: []image.Partition{
			{Name: "a", Start: mib, Size: 2 * mib}, {Name: "b", Start: 2 * mib, Size: mib}}},
			"partition 2 (b): start 2097152: want at least 3145728, where partition 1 (a) ends that begins at 1048576"},
		{"overlap with the table", one(image.Partition{Start: 512, Size: mib}),
			"partition 1: start 512: want at least 17408, behind the partition table"},
		{"name of 37 units", one(image.Partition{Name: strings.Repeat("x", 37), Size: mib}), "want at most 36, all that a GPT holds"},
		{"name of 19 emoji", one(image.Partition{Name: strings.Repeat("💾", 19), Size: mib}), "of 38 UTF-16 units: want at most 36"},
		{"name with NUL", one(image.Partition{Name: "a\x00b", Size: mib}), `name "a\x00b": want UTF-8 without NUL`},
		{"name that is not UTF-8", one(image.Partition{Name: "a\xff", Size: mib}), `name "a\xff": want UTF-8`},
		{"unknown type", one(image.Partition{Name: "x", Type: "swop", Size: mib}),
			`partition 1 (x): type "swop": "swop" is not a partition type of GPT: want a name such as esp or root-x86-64, or a GUID`},
		{"MBR byte on GPT", one(image.Partition{Type: "0x83", Size: mib}), `"0x83" is not a partition type of GPT`},
		{"GUID on MBR", image.Layout{Table: image.MBR, Partitions: []image.Partition{{Type: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", Size: mib}}},
			"is not a partition type of MBR"},
		{"no size", one(image.Partition{Name: "x"}), "partition 1 (x): size 0: want a size, a content to fit, or a weight"},
		{"size and weight", one(image.Partition{Size: mib, Weight: 1}), "want either a size, or bounds"},
		{"negative start", one(image.Partition{Start: -512, Size: mib}), "partition 1: start -512: want 0 to"},
		{"maximum below content", one(image.Partition{MaxSize: mib, Content: image.RawBytes(make([]byte, 2*mib))}),
			"partition 1: max size 1048576: want at least the 2097152 bytes that the content needs"},
		{"weight without a disk", one(image.Partition{Weight: 1}), "partition 1: weight 1: want a disk with room left"},
		{"same ID twice", image.Layout{Partitions: []image.Partition{{ID: seed, Size: mib}, {ID: seed, Size: mib}}},
			"partition 2: id " + seed.String() + ": want another than that of partition 1"},
		{"attributes on MBR", image.Layout{Table: image.MBR, Partitions: []image.Partition{{Size: mib, Attributes: image.ReadOnly}}},
			"partition 1: attributes read-only: want none that a table of type mbr cannot hold"},
		{"MBR beyond 2 TiB", image.Layout{Table: image.MBR, Partitions: []image.Partition{{Size: 3 * image.TiB}}},
			"all that an MBR with sectors of 512 bytes reaches"},
		{"four in a hybrid MBR", image.Layout{Partitions: []image.Partition{
			{Size: mib, HybridType: "0x83"}, {Size: mib, HybridType: "0x83"}, {Size: mib, HybridType: "0x83"}, {Size: mib, HybridType: "0x83"}}},
			"partition 4: hybrid type 0x83: want at most 3 partitions in a hybrid MBR"},
		{"boot code over the table", image.Layout{Blobs: []image.Blob{{Name: "boot", Content: image.RawBytes(make([]byte, 441))}}},
			"partition table: start 440: want at least 441, where blob 1 (boot) ends that begins at 0"},
		{"blob in a partition", image.Layout{
			Partitions: []image.Partition{{Name: "p", Size: mib}},
			Blobs:      []image.Blob{{Offset: mib + 512, Content: image.RawBytes([]byte("x"))}}},
			"blob 1: start 1049088: want at least 2097152, where partition 1 (p) ends"},
		{"FAT file of 4 GiB", one(image.Partition{Name: "esp", Content: &fat.FileSystem{Tree: treeOf(t, "large", 4*gib)}}),
			"partition 1 (esp): content: fat large: file of 4294967296 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := tc.layout.Plan(t.Context())
			require.ErrorContains(t, err, tc.want)
			var layoutErr *image.LayoutError
			require.ErrorAs(t, err, &layoutErr)
		})
	}
}

func TestPlanPlaces(t *testing.T) {
	for _, tc := range []struct {
		name   string
		layout image.Layout
		want   [][2]int64 // start and size in MiB
		size   int64      // in MiB
	}{
		{"one after the other", image.Layout{Partitions: []image.Partition{{Size: mib}, {Size: 3 * mib}}},
			[][2]int64{{1, 1}, {2, 3}}, 6},
		{"fixed start leaves a gap", image.Layout{Partitions: []image.Partition{{Size: mib}, {Start: 8 * mib, Size: mib}, {Size: mib}}},
			[][2]int64{{1, 1}, {8, 1}, {9, 1}}, 11},
		{"the rest", image.Layout{Size: 10 * mib, Partitions: []image.Partition{{Size: mib}, {Weight: 1}, {Size: 2 * mib}}},
			[][2]int64{{1, 1}, {2, 5}, {7, 2}}, 10},
		{"shares", image.Layout{Size: 18 * mib, Partitions: []image.Partition{{Weight: 1}, {Weight: 3}}},
			[][2]int64{{1, 4}, {5, 12}}, 18},
		{"shares with a maximum", image.Layout{Size: 18 * mib, Partitions: []image.Partition{{Weight: 1, MaxSize: 2 * mib}, {Weight: 1}}},
			[][2]int64{{1, 2}, {3, 14}}, 18},
		{"shares before a fixed start", image.Layout{Size: 20 * mib, Partitions: []image.Partition{{Weight: 1}, {Start: 8 * mib, Size: mib}, {Weight: 1}}},
			[][2]int64{{1, 7}, {8, 1}, {9, 10}}, 20},
		{"content and room", image.Layout{Partitions: []image.Partition{
			{Content: image.RawBytes(make([]byte, 4*mib)), FreePercent: 50}, {Content: image.RawBytes([]byte("x")), MinSize: 3 * mib, Free: mib}}},
			[][2]int64{{1, 6}, {7, 3}}, 11},
		{"no table", image.Layout{Table: image.NoTable, Size: 4 * mib, Partitions: []image.Partition{{}}},
			[][2]int64{{0, 4}}, 4},
		{"MBR", image.Layout{Table: image.MBR, Partitions: []image.Partition{{Size: mib}}}, [][2]int64{{1, 1}}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := tc.layout.Plan(t.Context())
			require.NoError(t, err)
			var got [][2]int64
			for _, part := range p.Partitions {
				require.Zero(t, part.Start%mib+part.Size%mib)
				got = append(got, [2]int64{part.Start / mib, part.Size / mib})
			}
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.size*mib, p.Size)
		})
	}
}

func TestPlanIsSeeded(t *testing.T) {
	plan := func(l image.Layout) *image.Plan {
		l.Partitions = append(l.Partitions, image.Partition{Size: mib, Content: &fat.FileSystem{}})
		p, err := l.Plan(t.Context())
		require.NoError(t, err)
		return p
	}
	a, b := plan(image.Layout{Seed: seed}), plan(image.Layout{Seed: seed})
	require.Equal(t, a.String(), b.String())
	c := plan(image.Layout{Seed: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000002")})
	require.NotEqual(t, a.ID, c.ID)
	require.NotEqual(t, a.Partitions[0].ID, c.Partitions[0].ID)
	require.NotEqual(t, a.Partitions[0].Volume.UUID, c.Partitions[0].Volume.UUID)
	require.NotEqual(t, plan(image.Layout{}).ID, plan(image.Layout{Size: 8 * mib}).ID, "layouts without a seed")
}

func TestPlanTakesSourceDateEpoch(t *testing.T) {
	l := image.Layout{Partitions: []image.Partition{{Size: mib}}}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	_, err := l.Plan(t.Context())
	require.ErrorContains(t, err, `SOURCE_DATE_EPOCH "yesterday": want a number of seconds since 1970`)
	l.Time = time.Unix(1, 0)
	_, err = l.Plan(t.Context())
	require.NoError(t, err, "a time that is given needs no environment")
}

func TestPlanJSON(t *testing.T) {
	p, err := (&image.Layout{Seed: seed, Partitions: []image.Partition{
		{Name: "boot", Type: image.ESP, Size: mib, Attributes: image.LegacyBoot | image.NoAuto | 1<<48},
	}}).Plan(t.Context())
	require.NoError(t, err)
	b, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, `{"table": "gpt", "sectorSize": 512, "size": 3145728, "id": "`+p.ID.String()+`", "partitions": [
		{"number": 1, "name": "boot", "type": "esp", "id": "`+p.Partitions[0].ID.String()+`", "start": 1048576, "size": 1048576,
		 "attributes": "legacy-boot,no-auto,bit-48"}]}`, string(b))
}

func TestAttributesText(t *testing.T) {
	for _, want := range []image.Attributes{0, image.Required, image.GrowFS | image.ReadOnly, 1 << 55} {
		text, err := want.MarshalText()
		require.NoError(t, err)
		var got image.Attributes
		require.NoError(t, got.UnmarshalText(text))
		require.Equal(t, want, got)
	}
	var a image.Attributes
	require.ErrorContains(t, a.UnmarshalText([]byte("grow")), `"grow" is not an attribute: want one of required`)
	require.Error(t, a.UnmarshalText([]byte("bit-64")))
}

// TestBuildLeavesNothing fails builds in each way that a build can fail, and wants
// the directory as it was.
func TestBuildLeavesNothing(t *testing.T) {
	good := image.Layout{Partitions: []image.Partition{{Name: "data", Content: &ext4.FileSystem{Tree: fullTree(t, "f", 8*mib)}}}}

	t.Run("missing directory", func(t *testing.T) {
		_, err := image.Build(t.Context(), filepath.Join(t.TempDir(), "no", "disk"), good, image.Options{})
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
	t.Run("source that changes", func(t *testing.T) {
		dir, src := t.TempDir(), t.TempDir()
		require.NoError(t, os.WriteFile(src+"/file", []byte("text"), 0o644))
		tree, err := filetree.FromDir(src)
		require.NoError(t, err)
		defer tree.Close()
		require.NoError(t, os.WriteFile(src+"/file", []byte("longer"), 0o644))
		l := image.Layout{Partitions: []image.Partition{{Name: "data", Content: &ext4.FileSystem{Tree: tree}}}}
		_, err = image.Build(t.Context(), dir+"/disk", l, image.Options{})
		require.ErrorIs(t, err, filetree.ErrChanged)
		require.ErrorContains(t, err, "partition 1 (data)")
		require.ErrorContains(t, err, "file")
		requireEmpty(t, dir)
	})
	t.Run("cancelled", func(t *testing.T) {
		dir := t.TempDir()
		p, err := good.Plan(t.Context())
		require.NoError(t, err)
		ctx, cancel := contextCancelled(t)
		defer cancel()
		require.ErrorIs(t, p.Build(ctx, dir+"/disk", image.Options{}), ctx.Err())
		requireEmpty(t, dir)
	})
	t.Run("full disk", func(t *testing.T) {
		fixture.RequireRoot(t)
		m, err := mount.New("tmpfs", "none", mount.Options{Parameters: []string{"size=1m"}})
		require.NoError(t, err)
		defer m.Close()
		l := image.Layout{Partitions: []image.Partition{{Name: "data", Size: 8 * mib, Content: image.Raw{Size: 8 * mib, Open: openNoise}}}}
		_, err = image.Build(t.Context(), m.Path()+"/disk", l, image.Options{})
		require.ErrorContains(t, err, "no space left on device")
		requireEmpty(t, m.Path()+"/")
	})
	t.Run("what was there stays", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(dir+"/disk", []byte("old"), 0o644))
		l := image.Layout{Partitions: []image.Partition{{Size: mib, Content: image.Raw{Size: 5, Open: openNothing}}}}
		_, err := image.Build(t.Context(), dir+"/disk", l, image.Options{})
		require.ErrorIs(t, err, filetree.ErrChanged)
		b, err := os.ReadFile(dir + "/disk")
		require.NoError(t, err)
		require.Equal(t, "old", string(b))
		_, err = image.Build(t.Context(), dir+"/disk", good, image.Options{})
		require.NoError(t, err, "a complete image takes its place")
	})
	t.Run("no regular file", func(t *testing.T) {
		_, err := image.Build(t.Context(), t.TempDir(), good, image.Options{})
		require.ErrorContains(t, err, "is not a regular file")
	})
}

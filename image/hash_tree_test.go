package image_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/squashfs"
	"github.com/drivebay/drivebay/image/verity"
	"github.com/drivebay/drivebay/image/volume"
)

// someFiles returns a tree of files that are not zero.
func someFiles(t *testing.T) *filetree.Tree {
	t.Helper()
	tree := filetree.New()
	for _, name := range []string{"one", "two", "three"} {
		b := make([]byte, 300_001)
		r, err := openNoise()
		require.NoError(t, err)
		_, err = io.ReadFull(r, b)
		require.NoError(t, err)
		_, err = tree.Add(name, filetree.File(append([]byte(name), b...), 0o644))
		require.NoError(t, err)
	}
	return tree
}

// buildVerity builds a layout, and returns its file and the root hashes.
func buildVerity(t *testing.T, l image.Layout) (name string, hashes []image.RootHash) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "disk.img")
	_, err := image.Build(t.Context(), name, l, image.Options{RootHash: func(h image.RootHash) { hashes = append(hashes, h) }})
	require.NoError(t, err)
	return name, hashes
}

// extract copies a partition of an image to a file of its own.
func extract(t *testing.T, name string, number int) string {
	t.Helper()
	d, err := image.Open(name)
	require.NoError(t, err)
	defer d.Close()
	section, err := d.Section(number)
	require.NoError(t, err)
	f, err := os.Create(filepath.Join(t.TempDir(), "partition"))
	require.NoError(t, err)
	defer f.Close()
	_, err = io.Copy(f, section)
	require.NoError(t, err)
	return f.Name()
}

// requireVerified lets veritysetup verify a hash tree of an image, and sfdisk tell
// the IDs of the partitions.
func requireVerified(t *testing.T, name string, h image.RootHash) {
	t.Helper()
	out, err := exec.Command(fixture.RequireTool(t, "veritysetup"), "verify", extract(t, name, h.Data), extract(t, name, h.Partition), h.Hash.String()).CombinedOutput()
	require.NoError(t, err, "%s", out)

	out, err = exec.Command(fixture.RequireTool(t, "sfdisk"), "--json", name).CombinedOutput()
	require.NoError(t, err, "%s", out)
	var table struct {
		PartitionTable struct{ Partitions []struct{ UUID uuid.UUID } }
	}
	require.NoError(t, json.Unmarshal(out, &table))
	parts := table.PartitionTable.Partitions
	require.Equal(t, uuid.UUID(h.Hash[:16]), parts[h.Data-1].UUID)
	require.Equal(t, uuid.UUID(h.Hash[len(h.Hash)-16:]), parts[h.Partition-1].UUID)
}

// newSignature returns a signature by a new key.
func newSignature(t *testing.T, of string) *verity.Signature {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &verity.Signature{Of: of, Key: key, Certificate: cert}
}

// holes is a content with data here and there.
type holes struct{ size int64 }

func (h holes) Plan(_ context.Context, g volume.Geometry) (volume.Plan, error) {
	return holes{max(h.size, g.Size)}, nil
}
func (h holes) Info() volume.Info { return volume.Info{Format: "holes", Size: h.size} }

func (h holes) Write(_ context.Context, w *volume.Writer) error {
	for off := int64(5000); off < h.size; off += 3<<20 + 777 {
		if err := w.SkipTo(off); err != nil {
			return err
		}
		if _, err := w.Write(bytes.Repeat([]byte("data"), 1234)[:min(4936, h.size-off)]); err != nil {
			return err
		}
	}
	return nil
}

func TestHashTree(t *testing.T) {
	tree := someFiles(t)
	for _, tc := range []struct {
		name  string
		parts []image.Partition
		disk  image.Layout
	}{
		{name: "ext4, fitted", parts: []image.Partition{
			{Name: "root", Type: image.Root, Content: &ext4.FileSystem{Tree: tree}},
			{Name: "tree", Type: "root-verity", Content: &verity.HashTree{Of: "root"}},
		}},
		{name: "squashfs, fitted, tree first", parts: []image.Partition{
			{Name: "tree", Type: "usr-verity", Content: &verity.HashTree{Of: "usr"}},
			{Name: "usr", Type: "usr", Content: &squashfs.FileSystem{Tree: tree}},
		}},
		{name: "erofs, signed", parts: []image.Partition{
			{Name: "root", Type: image.Root, Content: &erofs.FileSystem{Tree: tree}},
			{Name: "tree", Type: "root-verity", Content: &verity.HashTree{Of: "root"}},
			{Name: "signature", Type: "root-verity-sig", Size: 16 * image.KiB, Content: newSignature(t, "tree")},
		}},
		{name: "larger than its content", parts: []image.Partition{
			{Name: "root", Size: 9 * image.MiB, Content: &squashfs.FileSystem{Tree: tree}},
			{Name: "tree", Size: image.MiB, Content: &verity.HashTree{Of: "root", Params: verity.Params{Algorithm: "sha512"}}},
		}},
		{name: "nothing but zeros", parts: []image.Partition{
			{Name: "root", Size: 70 * image.MiB},
			{Name: "tree", Content: &verity.HashTree{Number: 1, Params: verity.Params{Salt: []byte{}}}},
		}},
		{name: "two, sharing the disk, at odd places", disk: image.Layout{Size: 130 * image.MiB, Align: 512}, parts: []image.Partition{
			{Name: "a", Start: 63 * 512, Size: 40 * image.MiB, Content: holes{}},
			{Name: "a tree", Content: &verity.HashTree{Of: "a", Params: verity.Params{DataBlockSize: 1024}}},
			{Name: "b tree", Content: &verity.HashTree{Of: "b"}, Free: 5120},
			{Name: "b", Size: 71 * image.MiB, Content: holes{}}, // of three levels
		}},
		{name: "sectors of 4096", disk: image.Layout{SectorSize: 4096}, parts: []image.Partition{
			{Name: "root", Size: 4096, Content: holes{4096}},
			{Name: "tree", Content: &verity.HashTree{Of: "root"}},
		}},
		{name: "all that is left of the disk", disk: image.Layout{Size: 80 * image.MiB}, parts: []image.Partition{
			{Name: "root", Weight: 1, Content: &ext4.FileSystem{Tree: tree}},
			{Name: "tree", Content: &verity.HashTree{Of: "root"}},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := tc.disk
			l.Partitions = tc.parts
			t.Cleanup(func() { require.NoError(t, l.Close()) })
			name, hashes := buildVerity(t, l)
			require.NotEmpty(t, hashes)
			for _, h := range hashes {
				if l.SectorSize != 4096 { // sfdisk sees sectors of 512 bytes in a file
					requireVerified(t, name, h)
				}
			}
			require.NoError(t, image.Verify(t.Context(), name, l, image.Options{}))

			p, err := l.Plan(t.Context())
			require.NoError(t, err)
			var stream bytes.Buffer
			_, err = p.WriteTo(&stream)
			require.NoError(t, err)
			want, err := os.ReadFile(name)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, stream.Bytes()), "a stream has other bytes than a file")
		})
	}
}

// fickle is a content that is another one each time that it is opened.
func fickle() image.Raw {
	n := byte(0)
	return image.Raw{Size: 8192, Open: func() (io.ReadCloser, error) {
		n++
		return io.NopCloser(bytes.NewReader(bytes.Repeat([]byte{n}, 8192))), nil
	}}
}

func TestHashTreeOfWhatChanges(t *testing.T) {
	l := image.Layout{Partitions: []image.Partition{
		{Name: "root", Content: fickle()}, {Name: "tree", Content: &verity.HashTree{Of: "root"}},
	}}
	p, err := l.Plan(t.Context())
	require.NoError(t, err)
	_, err = p.WriteTo(io.Discard)
	require.ErrorIs(t, err, filetree.ErrChanged)
	require.ErrorContains(t, err, "partition 1 (root)")
}

func TestHashTreeIsPlanned(t *testing.T) {
	l := image.Layout{Partitions: []image.Partition{
		{Name: "root", Size: 2 * image.MiB}, {Name: "tree", Content: &verity.HashTree{Of: "root"}},
		{Name: "given", ID: uuid.UUID{1}, Size: 2 * image.MiB}, {Name: "given tree", Content: &verity.HashTree{Of: "given"}, ID: uuid.UUID{2}},
	}}
	p, err := l.Plan(t.Context())
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{{}, {}, {1}, {2}}, []uuid.UUID{p.Partitions[0].ID, p.Partitions[1].ID, p.Partitions[2].ID, p.Partitions[3].ID})
	require.Equal(t, int64(512), p.Partitions[1].Verity.DataBlocks)
	require.Contains(t, p.String(), "partition 2 holds a hash tree of partition 1: sha256, 512 blocks of 4096 bytes in blocks of 4096, salt ")
	require.Contains(t, p.String(), "note: partition 1 gets its ID when the image is written: the first 16 bytes of the root hash in partition 2\n"+
		"note: partition 2 gets its ID when the image is written: the last 16 bytes of the root hash in partition 2\n")
	name, hashes := buildVerity(t, l)
	require.Equal(t, []int{1, 3}, []int{hashes[0].Data, hashes[1].Data})
	d, err := image.Open(name)
	require.NoError(t, err)
	defer d.Close()
	require.Equal(t, uuid.UUID{1}.String(), d.Partitions[2].ID)
	require.Equal(t, p.Partitions[1].Verity, d.Partitions[1].Verity)
	require.Equal(t, hashes[0].Hash, d.Partitions[1].RootHash)
}

func TestHashTreeIsPlaced(t *testing.T) {
	p, err := (&image.Layout{Size: 1200 * image.MiB, Partitions: []image.Partition{
		{Name: "root", Weight: 9},
		{Name: "tree", Weight: 1, Content: &verity.HashTree{Of: "root"}},
		{Name: "other", Start: 800 * image.MiB, MinSize: image.MiB, Weight: 1},
		{Name: "other tree", Content: &verity.HashTree{Of: "other"}},
	}}).Plan(t.Context())
	require.NoError(t, err)
	var sizes []int64
	for _, part := range p.Partitions {
		sizes = append(sizes, part.Size/image.MiB)
	}
	// 1/127 of the 395 MiB is over 3 MiB; the last MiB is the table's.
	require.Equal(t, []int64{718, 81, 395, 4}, sizes)
}

func TestHashTreeOnALargerDisk(t *testing.T) {
	p, err := (&image.Layout{Partitions: []image.Partition{
		{Name: "root", Content: holes{5 * image.MiB}}, {Name: "tree", Content: &verity.HashTree{Of: "root"}},
	}}).Plan(t.Context())
	require.NoError(t, err)
	p, err = p.Extend(p.Size + 5*image.MiB)
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "disk.img")
	var hash image.RootHash
	require.NoError(t, p.Build(t.Context(), name, image.Options{RootHash: func(h image.RootHash) { hash = h }}))
	requireVerified(t, name, hash)
	require.Contains(t, run(t, "sfdisk", "--verify", name), "No errors")
}

func TestHashTreeErrors(t *testing.T) {
	tree := &verity.HashTree{Of: "root"}
	root := image.Partition{Name: "root", Size: 8 * image.MiB}
	for _, tc := range []struct {
		name  string
		parts []image.Partition
		want  string
	}{
		{"without data", []image.Partition{{Name: "tree", Content: tree}}, `partition 1 (tree): of "root": want the name of a partition`},
		{"no name", []image.Partition{{Size: 4096}, {Content: &verity.HashTree{}}}, `partition 2: of "": want the name of a partition`},
		{"number", []image.Partition{root, {Content: &verity.HashTree{Number: 3}}}, `partition 2: of "3": want a number from 1 to 2`},
		{"two of the name", []image.Partition{root, root, {Content: tree}}, `partition 3: of "root": want a name that one partition has, not both partition 1 (root) and partition 2 (root)`},
		{"itself", []image.Partition{{Name: "root", Content: tree}}, "want a partition that is not made of another itself, as partition 1 (root) is"},
		{"two trees", []image.Partition{root, {Content: tree}, {Content: tree}}, "want a partition of which there is no other hash tree: there is one in partition 2"},
		{"half a block", []image.Partition{{Name: "root", Size: 4096 + 512}, {Name: "tree", Content: tree}},
			"partition 2 (tree): content: of partition 1 (root): verity: data of 4608 bytes: bad option: want whole data blocks of 4096 bytes"},
		{"too small", []image.Partition{root, {Name: "tree", Size: 65536, Content: tree}}, "partition 2 (tree): size 65536: of partition 1 (root): DM_verity_hash: content needs 73728 bytes, volume has 65536: 8192 too few"},
		{"signature of data", []image.Partition{root, {Content: tree}, {Content: &verity.Signature{Of: "root"}}}, `partition 3: of "root": want the name of a partition with a hash tree, not of partition 1 (root)`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := (&image.Layout{Partitions: tc.parts}).Plan(t.Context())
			var layoutErr *image.LayoutError
			require.True(t, errors.As(err, &layoutErr), "%v", err)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestTwinsWithRootHashes(t *testing.T) {
	salted := verity.Params{Salt: []byte("the same")}
	_, err := image.Build(t.Context(), filepath.Join(t.TempDir(), "disk.img"), image.Layout{Partitions: []image.Partition{
		{Name: "a", Size: 8 * image.MiB}, {Name: "a tree", Content: &verity.HashTree{Of: "a", Params: salted}},
		{Name: "b", Size: 8 * image.MiB}, {Name: "b tree", Content: &verity.HashTree{Of: "b", Params: salted}},
	}}, image.Options{})
	require.ErrorContains(t, err, "partition 3 (b): id ")
	require.ErrorContains(t, err, "want another than that of partition 1 (a)")
}

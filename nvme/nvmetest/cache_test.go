package nvmetest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// TestWriteCache writes A, and then something else over it: what there is after a
// loss of power depends on what has reached the media before.
func TestWriteCache(t *testing.T) {
	ctx := t.Context()
	block := func(b byte) []byte { return bytes.Repeat([]byte{b}, 512) }
	for name, tc := range map[string]struct {
		cache    int
		do       func(n *nvme.Namespace) error
		survives func(w nvmetest.CachedWrite) bool
		want     byte
	}{
		"written":  {1 << 20, func(n *nvme.Namespace) error { return n.Write(ctx, 8, block('B'), nvme.IOOptions{}) }, nil, 'A'},
		"no cache": {0, func(n *nvme.Namespace) error { return n.Write(ctx, 8, block('B'), nvme.IOOptions{}) }, nil, 'B'},
		"FUA": {1 << 20, func(n *nvme.Namespace) error {
			return n.Write(ctx, 8, block('B'), nvme.IOOptions{ForceUnitAccess: true})
		}, nil, 'B'},
		"zeroes": {1 << 20, func(n *nvme.Namespace) error { return n.WriteZeroes(ctx, 8, 1, false, nvme.IOOptions{}) }, nil, 'A'},
		"deallocate": {1 << 20, func(n *nvme.Namespace) error {
			return n.DatasetManagement(ctx, nvme.Deallocate, nvme.DatasetRange{LBA: 8, Blocks: 1})
		}, nil, 0},
		"survives": {1 << 20, func(n *nvme.Namespace) error { return n.Write(ctx, 8, block('B'), nvme.IOOptions{}) },
			func(w nvmetest.CachedWrite) bool { return w == nvmetest.CachedWrite{NSID: 1, Offset: 4096, Size: 512} }, 'B'},
		"flushed": {1 << 20, func(n *nvme.Namespace) error {
			if err := n.Write(ctx, 8, block('B'), nvme.IOOptions{}); err != nil {
				return err
			}
			return n.Flush(ctx)
		}, nil, 'B'},
		"full": {1024, func(n *nvme.Namespace) error {
			for i, b := range []byte("BCD") { // B reaches the media when D comes
				if err := n.Write(ctx, 8+uint64(i), block(b), nvme.IOOptions{}); err != nil {
					return err
				}
			}
			return nil
		}, nil, 'B'},
		"reordered": {1 << 20, func(n *nvme.Namespace) error {
			if err := n.Write(ctx, 8, block('B'), nvme.IOOptions{}); err != nil {
				return err
			}
			return n.Write(ctx, 8, block('C'), nvme.IOOptions{})
		}, func() func(nvmetest.CachedWrite) bool {
			seen := 0
			return func(nvmetest.CachedWrite) bool { seen++; return seen == 2 }
		}(), 'C'},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := nvmetest.New(nvmetest.Enterprise(), func(p *nvmetest.Profile) { p.CacheSize = tc.cache })
			require.NoError(t, err)
			n, err := nvme.NewController(d).Namespace(ctx, 1)
			require.NoError(t, err)
			require.NoError(t, n.Write(ctx, 8, block('A'), nvme.IOOptions{}))
			require.NoError(t, n.Flush(ctx))
			require.NoError(t, tc.do(n))
			require.NoError(t, d.LosePower(tc.survives))
			d.PowerOn()
			got := make([]byte, 512)
			require.NoError(t, n.Read(ctx, 8, got, nvme.IOOptions{}))
			require.Equal(t, block(tc.want), got)
		})
	}
}

func TestWriteCacheThatIsOff(t *testing.T) {
	ctx := t.Context()
	d, err := nvmetest.New(nvmetest.Consumer(), func(p *nvmetest.Profile) { p.CacheSize = 1 << 20 })
	require.NoError(t, err)
	c := nvme.NewController(d)
	n, err := c.Namespace(ctx, 1)
	require.NoError(t, err)
	require.NoError(t, c.WriteFeature(ctx, &nvme.VolatileWriteCache{}, nvme.FeatureOptions{}))
	want := bytes.Repeat([]byte("drivebay"), 64)
	require.NoError(t, n.Write(ctx, 0, want, nvme.IOOptions{}))
	d.Reset(nvmetest.PowerCycle)
	got := make([]byte, 512)
	require.NoError(t, n.Read(ctx, 0, got, nvme.IOOptions{}))
	require.Equal(t, want, got)
}

func TestWriteCacheWantsVWC(t *testing.T) {
	_, err := nvmetest.New(nvmetest.Consumer(), func(p *nvmetest.Profile) {
		p.CacheSize, p.Controller.VolatileWriteCache = 1, 0
	})
	require.ErrorContains(t, err, "VWC")
}

// TestWriteCacheBeforeAFile loses what was written to media of the caller's.
func TestWriteCacheBeforeAFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Truncate(1<<20))
	d, err := nvmetest.New(nvmetest.Consumer(), func(p *nvmetest.Profile) {
		p.CacheSize = 1 << 20
		p.Namespaces = []nvmetest.NamespaceConfig{{Blocks: 2048, Media: f}}
	})
	require.NoError(t, err)
	n, err := nvme.NewController(d).Namespace(t.Context(), 1)
	require.NoError(t, err)
	require.NoError(t, n.Write(t.Context(), 2047, make([]byte, 512), nvme.IOOptions{}))
	require.NoError(t, n.Write(t.Context(), 0, bytes.Repeat([]byte{1}, 512), nvme.IOOptions{}))
	d.PowerOff()
	got := make([]byte, 1<<20)
	_, err = f.ReadAt(got, 0)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 1<<20), got)
}

package nvmetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

func TestANA(t *testing.T) {
	ctx := t.Context()
	d, err := nvmetest.New(nvmetest.Enterprise(), nvmetest.MultiPath, func(p *nvmetest.Profile) {
		p.Controller.ANAGroupMax, p.Controller.ANAGroupCount = 64, 64
		p.Namespaces[1].ANAGroup = 40
	})
	require.NoError(t, err)
	one, two := nvme.NewController(d), nvme.NewController(d.Controller(2))
	require.NoError(t, two.WriteFeature(ctx, new(nvme.NotifyANA), nvme.FeatureOptions{}))
	for state, want := range map[nvme.ANAState]nvme.Status{
		nvme.ANANonOptimized: 0, nvme.ANAInaccessible: nvme.StatusANAInaccessible,
		nvme.ANAPersistentLoss: nvme.StatusANAPersistentLoss, nvme.ANAChange: nvme.StatusANATransition,
	} {
		d.Controller(2).SetANA(1, state)
		require.Contains(t, d.Controller(2).Events(), nvmetest.EventANAChanged)
		reachable := map[bool][]uint32{true: {1, 2}, false: {2}}[want == 0]
		require.Equal(t, [][]uint32{{1, 2}, reachable}, [][]uint32{d.Controller(1).Reachable(), d.Controller(2).Reachable()})
		require.Empty(t, d.Controller(1).Events())
		for c, want := range map[*nvme.Controller]nvme.Status{one: 0, two: want} {
			for nsid := range uint32(2) {
				n, err := c.Namespace(ctx, nsid+1)
				require.NoError(t, err)
				err = n.Read(ctx, 0, make([]byte, n.BlockBytes()), nvme.IOOptions{})
				if want == 0 || nsid == 1 {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, want)
				}
			}
		}
		log, err := two.ANALog(ctx)
		require.NoError(t, err)
		require.Equal(t, []nvme.ANAGroup{
			{ID: 1, ChangeCount: log.ChangeCount, State: state, Namespaces: []uint32{1}},
			{ID: 40, State: nvme.ANAOptimized, Namespaces: []uint32{2}},
		}, log.Groups)
	}
	require.Panics(t, func() { d.Controller(1).SetANA(65, nvme.ANAChange) })
}

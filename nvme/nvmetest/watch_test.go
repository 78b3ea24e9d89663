package nvmetest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

func TestNeverReady(t *testing.T) {
	ctx := t.Context()
	d, err := nvmetest.New(nvmetest.Consumer())
	require.NoError(t, err)
	c := nvme.NewController(d)
	require.NoError(t, c.FirmwareDownload(ctx, 0, nvmetest.Firmware{Revision: "DEAD", Activation: nvmetest.NeverReady}.Image()))
	_, err = c.FirmwareCommit(ctx, nvme.FirmwareCommit{Slot: 2, Action: nvme.ReplaceAndActivateAtReset})
	require.NoError(t, err)
	for range 2 {
		d.Reset(nvmetest.ControllerReset)
		in, err := d.Controller(1).ReadyIn()
		require.NoError(t, err)
		require.Equal(t, nvmetest.Never, in)
		_, err = c.Identify(ctx)
		require.ErrorIs(t, err, nvme.ErrExpired)
	}
	d.Reset(nvmetest.PowerCycle)
	id, err := c.Identify(ctx)
	require.NoError(t, err)
	require.Equal(t, "1.0.0", id.FirmwareRevision)
}

func TestOnReset(t *testing.T) {
	d, err := nvmetest.New(nvmetest.Enterprise())
	require.NoError(t, err)
	type reset struct {
		controller uint16
		kind       nvmetest.Reset
	}
	var got []reset
	remove := d.OnReset(func(controller uint16, kind nvmetest.Reset) { got = append(got, reset{controller, kind}) })
	d.Reset(nvmetest.ControllerReset)
	d.Controller(2).Reset(nvmetest.ControllerReset)
	d.Reset(nvmetest.SubsystemReset)
	d.PowerOff()
	remove()
	d.PowerOn()
	d.Advance(time.Minute)
	require.Equal(t, []reset{
		{1, nvmetest.ControllerReset}, {2, nvmetest.ControllerReset}, {1, nvmetest.SubsystemReset}, {2, nvmetest.SubsystemReset},
		{1, nvmetest.PowerCycle}, {2, nvmetest.PowerCycle},
	}, got)
}

func TestNamespaceIsTakenAway(t *testing.T) {
	ctx := t.Context()
	d, err := nvmetest.New(nvmetest.Enterprise())
	require.NoError(t, err)
	c := nvme.NewController(d)
	require.NoError(t, c.WriteFeature(ctx, new(nvme.NotifyNamespaceAttributes), nvme.FeatureOptions{}))
	d.Namespace(2).Detach()
	require.Equal(t, []nvmetest.Event{nvmetest.EventNamespaceChanged}, d.Controller(1).Events())
	active, err := c.ActiveNamespaces(ctx)
	require.NoError(t, err)
	require.Equal(t, nvme.NamespaceList{1}, active)
	d.Namespace(2).Attach()
	active, err = c.ActiveNamespaces(ctx)
	require.NoError(t, err)
	require.Equal(t, nvme.NamespaceList{1, 2}, active)
}

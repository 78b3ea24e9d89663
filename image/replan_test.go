package image_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/volume"
)

// asked is a content that writes down for which geometries it is planned.
type asked struct{ planned, moved []volume.Geometry }

func (a *asked) Plan(_ context.Context, g volume.Geometry) (volume.Plan, error) {
	a.planned = append(a.planned, g)
	return &askedPlan{asked: a, size: max(g.Size, 1000)}, nil
}

type askedPlan struct {
	asked *asked
	size  int64
}

func (p *askedPlan) Info() volume.Info                           { return volume.Info{Format: "asked", Size: p.size} }
func (p *askedPlan) Write(context.Context, *volume.Writer) error { return nil }

func (p *askedPlan) Replan(_ context.Context, g volume.Geometry) (volume.Plan, error) {
	p.asked.moved = append(p.asked.moved, g)
	return &askedPlan{asked: p.asked, size: g.Size}, nil
}

func TestFittedContentIsPlannedOnce(t *testing.T) {
	fitted, sized := &asked{}, &asked{}
	p, err := (&image.Layout{Partitions: []image.Partition{
		{Name: "sized", Size: 2 * image.MiB, Content: sized},
		{Name: "fitted", Free: 3 * image.MiB, Content: fitted},
	}}).Plan(t.Context())
	require.NoError(t, err)
	type place struct{ offset, size int64 }
	places := func(list []volume.Geometry) (all []place) {
		for _, g := range list {
			all = append(all, place{g.Offset, g.Size})
		}
		return all
	}
	require.Equal(t, []place{{1 * image.MiB, 2 * image.MiB}}, places(sized.planned))
	require.Empty(t, sized.moved)
	require.Equal(t, []place{{0, 0}}, places(fitted.planned))
	require.Equal(t, []place{{3 * image.MiB, 4 * image.MiB}}, places(fitted.moved))
	require.Equal(t, 4*image.MiB, p.Partitions[1].Volume.Size)
	g := fitted.planned[0]
	g.Offset, g.Size = fitted.moved[0].Offset, fitted.moved[0].Size
	require.Equal(t, g, fitted.moved[0], "seed and time")
}

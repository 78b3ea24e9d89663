package image_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
)

// closing is a content that counts how often it is closed.
type closing struct {
	image.Raw
	err    error
	closed int
}

func (c *closing) Close() error {
	c.closed++
	return c.err
}

func TestLayoutClosesItsContents(t *testing.T) {
	broken := errors.New("broken")
	first, second, blob := &closing{}, &closing{err: broken}, &closing{}
	l := image.Layout{
		Partitions: []image.Partition{{Content: first}, {Content: image.RawBytes(nil)}, {}, {Content: second}},
		Blobs:      []image.Blob{{Content: blob}},
	}
	require.ErrorIs(t, l.Close(), broken)
	require.Equal(t, []int{1, 1, 1}, []int{first.closed, second.closed, blob.closed})
	require.NoError(t, (&image.Layout{}).Close())
}

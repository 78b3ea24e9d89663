package image_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/volume"
)

// TestLocate wants a blob to know the places of partitions, whether the layout
// gives them or not.
func TestLocate(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk.img")
	_, err := image.Build(t.Context(), name, image.Layout{
		Partitions: []image.Partition{{Name: "one", Size: mib}, {Name: "two", Start: 5 * mib, Size: 2 * mib}},
		Blobs: []image.Blob{{Locate: func(p *image.Plan) (volume.Content, error) {
			var text string
			for _, part := range p.Partitions {
				text += fmt.Sprintf("%s at %d of %d; ", part.Name, part.Start, part.Size)
			}
			return image.RawBytes([]byte(text)), nil
		}}},
	}, image.Options{})
	require.NoError(t, err)
	disk, err := os.ReadFile(name)
	require.NoError(t, err)
	const want = "one at 1048576 of 1048576; two at 5242880 of 2097152; "
	require.Equal(t, want, string(disk[:len(want)]))
}

func TestLocateErrors(t *testing.T) {
	cause := errors.New("no place for it")
	for _, tc := range []struct {
		name string
		blob image.Blob
		want string
	}{
		{"its own", image.Blob{Name: "boot", Locate: func(*image.Plan) (volume.Content, error) { return nil, cause }}, "blob 1 (boot): content: no place for it"},
		{"no content", image.Blob{Locate: func(*image.Plan) (volume.Content, error) { return nil, nil }}, "blob 1: content: the function that returns it has returned none"},
		{"nothing", image.Blob{}, "blob 1: content none, or two: want a content"},
		{"two contents", image.Blob{
			Content: image.RawBytes(nil), Locate: func(*image.Plan) (volume.Content, error) { return image.RawBytes(nil), nil },
		}, "blob 1: content none, or two: want a content"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			layout := image.Layout{Size: 4 * mib, Blobs: []image.Blob{tc.blob}}
			_, err := layout.Plan(t.Context())
			require.ErrorContains(t, err, tc.want)
			var l *image.LayoutError
			require.ErrorAs(t, err, &l)
		})
	}
}

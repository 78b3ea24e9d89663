package image_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
)

// verified is a layout with a place of every kind, and the file of its image.
func verified(t *testing.T) (image.Layout, string) {
	t.Helper()
	l := image.Layout{Seed: seed, Partitions: []image.Partition{
		{Name: "a", Size: 2 * image.MiB, Content: image.RawBytes(bytes.Repeat([]byte("drivebay"), 1000))},
		{Name: "b", Size: image.MiB, Start: 5 * image.MiB},
	}}
	name := filepath.Join(t.TempDir(), "disk")
	_, err := image.Build(t.Context(), name, l, image.Options{})
	require.NoError(t, err)
	return l, name
}

func TestVerify(t *testing.T) {
	for _, tc := range []struct {
		name   string
		offset int64
		want   image.DifferenceError
	}{
		{"boot code", 3, image.DifferenceError{Region: "outside the partitions", Offset: 3, Got: 1}},
		{"partition table", 512, image.DifferenceError{Region: "partition table", Offset: 72, Want: 'E', Got: 1}},
		{"before the partitions", image.MiB - 1, image.DifferenceError{Region: "outside the partitions", Offset: image.MiB - 1, Got: 1}},
		{"content", image.MiB + 4097, image.DifferenceError{Region: "partition 1 (a)", Offset: 4097, Want: 'r', Got: 1}},
		{"behind the content", image.MiB + 9001, image.DifferenceError{Region: "partition 1 (a)", Offset: 9001, Got: 1}},
		{"hole", 2*image.MiB + 5000, image.DifferenceError{Region: "partition 1 (a)", Offset: image.MiB + 5000, Got: 1}},
		{"gap", 4 * image.MiB, image.DifferenceError{Region: "outside the partitions", Offset: 4 * image.MiB, Got: 1}},
		{"empty partition", 5*image.MiB + 7, image.DifferenceError{Region: "partition 2 (b)", Offset: 7, Got: 1}},
		{"backup table", 7*image.MiB - 512, image.DifferenceError{Region: "backup partition table", Offset: 16384, Want: 'E', Got: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, name := verified(t)
			require.NoError(t, image.Verify(t.Context(), name, l, image.Options{}))

			f, err := os.OpenFile(name, os.O_RDWR, 0)
			require.NoError(t, err)
			defer f.Close()
			_, err = f.WriteAt([]byte{1}, tc.offset)
			require.NoError(t, err)

			err = image.Verify(t.Context(), name, l, image.Options{})
			require.ErrorIs(t, err, image.ErrDiffers)
			var got *image.DifferenceError
			require.ErrorAs(t, err, &got)
			tc.want.Name, tc.want.DiskOffset = name, tc.offset
			require.Equal(t, &tc.want, got)
		})
	}
}

func TestVerifyErrors(t *testing.T) {
	t.Run("text", func(t *testing.T) {
		err := &image.DifferenceError{Name: "disk.img", Region: "partition 1 (a)", Offset: 4097, DiskOffset: 1052673, Want: 'r', Got: 1}
		require.EqualError(t, err, "disk.img: image differs from its layout: partition 1 (a): byte 4097, at offset 1052673 of the disk, is 0x01: want 0x72")
	})
	t.Run("too short", func(t *testing.T) {
		l, name := verified(t)
		require.NoError(t, os.Truncate(name, 6*image.MiB))
		err := image.Verify(t.Context(), name, l, image.Options{})
		require.ErrorIs(t, err, image.ErrDiffers)
		require.EqualError(t, err, name+": image differs from its layout: its size is 6291456 bytes: want 7340032")
	})
	t.Run("too long", func(t *testing.T) {
		l, name := verified(t)
		require.NoError(t, os.Truncate(name, 8*image.MiB))
		require.ErrorIs(t, image.Verify(t.Context(), name, l, image.Options{}), image.ErrDiffers)
	})
	t.Run("missing", func(t *testing.T) {
		l, name := verified(t)
		err := image.Verify(t.Context(), name+".nothing", l, image.Options{})
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("not a layout", func(t *testing.T) {
		var e *image.LayoutError
		require.ErrorAs(t, image.Verify(t.Context(), "", image.Layout{SectorSize: 3}, image.Options{}), &e)
	})
	t.Run("cancelled", func(t *testing.T) {
		l, name := verified(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, image.Verify(ctx, name, l, image.Options{}), context.Canceled)
	})
	t.Run("source that is gone", func(t *testing.T) {
		source := filepath.Join(t.TempDir(), "raw")
		require.NoError(t, os.WriteFile(source, []byte("x"), 0o644))
		raw, err := image.RawFile(source)
		require.NoError(t, err)
		l := image.Layout{Partitions: []image.Partition{{Content: raw}}}
		name := filepath.Join(t.TempDir(), "disk")
		_, err = image.Build(t.Context(), name, l, image.Options{})
		require.NoError(t, err)
		require.NoError(t, os.Remove(source))
		err = image.Verify(t.Context(), name, l, image.Options{})
		require.ErrorIs(t, err, os.ErrNotExist)
		require.NotErrorIs(t, err, image.ErrDiffers)
	})
}

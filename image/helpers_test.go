package image_test

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// openNoise opens bytes that are not zero, without end.
func openNoise() (io.ReadCloser, error) {
	return io.NopCloser(rand.NewChaCha8([32]byte{1})), nil
}

// openNothing opens an empty content.
func openNothing() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }

func contextCancelled(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

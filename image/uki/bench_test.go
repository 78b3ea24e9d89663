package uki_test

import (
	"debug/pe"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/uki"
)

// BenchmarkEntry reads an image with an initramfs of 64 MiB, in the pieces that
// writers of file systems ask for.
func BenchmarkEntry(b *testing.B) {
	m := everything(uki.Bytes("stub", stubFor(pe.IMAGE_FILE_MACHINE_AMD64)))
	m.Initrds = []uki.Source{uki.Bytes("initrd", make([]byte, 64<<20))}
	e, err := m.Entry()
	require.NoError(b, err)
	buf := make([]byte, 1<<20)
	b.ReportAllocs()
	b.SetBytes(e.Size)
	for b.Loop() {
		r, err := e.Open()
		require.NoError(b, err)
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buf)
		require.NoError(b, err)
		require.Equal(b, e.Size, n)
		require.NoError(b, r.Close())
	}
}

package uki_test

import (
	"bytes"
	"debug/pe"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/uki"
)

// FuzzStub holds that any stub is refused or extended, and that what debug/pe
// reads of a stub it reads of the image, with the sections appended.
func FuzzStub(f *testing.F) {
	f.Add(stubFor(pe.IMAGE_FILE_MACHINE_AMD64))
	f.Add(kernelFor(pe.IMAGE_FILE_MACHINE_AMD64, "6.1.0"))
	f.Add([]byte("MZ"))
	f.Fuzz(func(t *testing.T, stub []byte) {
		e, err := everything(uki.Bytes("stub", stub)).Entry()
		if err != nil {
			return
		}
		b := imagetest.ReadEntry(t, e)
		before, err := pe.NewFile(bytes.NewReader(stub))
		if err != nil {
			return // strings and symbols matter to debug/pe alone
		}
		after, err := pe.NewFile(bytes.NewReader(b))
		require.NoError(t, err)
		got := names(after)[len(before.Sections):]
		require.Len(t, got, len(want))
		for i, w := range want {
			require.Equal(t, w.name, got[i])
		}
	})
}

// FuzzKernel holds that the head of any kernel can be looked at.
func FuzzKernel(f *testing.F) {
	f.Add(kernelFor(pe.IMAGE_FILE_MACHINE_AMD64, "6.1.0-test (somebody)"))
	f.Add(kernelFor(pe.IMAGE_FILE_MACHINE_ARM64, ""))
	f.Fuzz(func(t *testing.T, kernel []byte) {
		m := everything(uki.Bytes("stub", stubFor(pe.IMAGE_FILE_MACHINE_AMD64)))
		m.Kernel = uki.Bytes("kernel", kernel)
		e, err := m.Entry()
		if err != nil {
			return
		}
		f, err := pe.NewFile(bytes.NewReader(imagetest.ReadEntry(t, e)))
		require.NoError(t, err)
		content, err := f.Section(".linux").Data()
		require.NoError(t, err)
		require.Equal(t, kernel, content[:len(kernel)])
	})
}

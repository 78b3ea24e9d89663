package kernel

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestModuleName(t *testing.T) {
	for path, want := range map[string]string{
		"kernel/fs/fat/vfat.ko":       "vfat",
		"kernel/nls/nls_iso8859-1.ko": "nls_iso8859_1",
		"a/nvme-tcp.ko.xz":            "nvme_tcp",
		"a/loop.ko.zst":               "loop",
		"a/loop.ko.gz":                "loop",
		"a/loop.ko.new":               "",
		"modules.order":               "",
		"vdso/vdso64.so":              "",
	} {
		require.Equal(t, want, moduleName(path), path)
	}
}

func TestSoftNeeds(t *testing.T) {
	require.Equal(t, []string{"crc32c", "a_b"}, softNeeds("pre: crc32c a-b post: c"))
	require.Empty(t, softNeeds("post: c"))
}

func TestDecompressLZ4(t *testing.T) {
	// A literal of 3, a match of 3+4+255+1 at offset 3, then a last literal.
	block := []byte{0x3f, 'a', 'b', 'c', 3, 0, 255, 1, 0x10, '!'}
	want := append(bytes.Repeat([]byte("abc"), 1+(15+4+255+1)/3), "ab!"...)
	got, err := decompressLZ4(append([]byte{byte(len(block)), 0, 0, 0}, block...), 1<<10)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
	for cut := 1; cut < len(block)-2; cut++ {
		if cut == 4 {
			continue // ends after the literals, as a last sequence does
		}
		_, err := appendLZ4Block(nil, block[:cut], 1<<10)
		require.ErrorIs(t, err, errLZ4, "cut at %d", cut)
	}
	_, err = appendLZ4Block(nil, block, 100)
	require.ErrorIs(t, err, errLZ4, "limit")
}

// TestDecompressLZ4AsLZ4 takes what the lz4 program makes, where it is installed.
func TestDecompressLZ4AsLZ4(t *testing.T) {
	lz4, err := exec.LookPath("lz4")
	if err != nil {
		t.Skip(err)
	}
	want, err := os.ReadFile("image.go")
	require.NoError(t, err)
	cmd := exec.Command(lz4, "-l", "-9")
	cmd.Stdin = bytes.NewReader(want)
	out, err := cmd.Output()
	require.NoError(t, err)
	got, err := decompressLZ4(out[4:], len(want))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func FuzzExtractELF(f *testing.F) {
	head := make([]byte, 1024)
	copy(head[offBootFlag:], []byte{0x55, 0xaa})
	copy(head[offMagic:], "HdrS")
	head[offKernelVersion] = 0x10
	copy(head[0x210:], "6.1 x")
	head[offPayloadLength] = 64
	copy(head[512:], []byte{0x02, 0x21, 0x4c, 0x18})
	f.Add(head)
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, err := extractELF(b)
		if err == nil && !bytes.HasPrefix(plain, []byte("\x7fELF")) {
			t.Error("no ELF and no error")
		}
	})
}

func FuzzModinfo(f *testing.F) {
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = modinfo(b) })
}

func TestArm64Release(t *testing.T) {
	head := append(make([]byte, offArm64Magic), "ARM\x64"...)
	path := filepath.Join(t.TempDir(), "Image")
	for text, want := range map[string]string{
		"\x00Linux version 6.1.0-56-cloud-arm64 (debian) #1": "6.1.0-56-cloud-arm64",
		"Linux version 6.2":      "6.2",
		"nothing":                "",
		"Linux version ":         "",
		"Linux version %s\x00 (": "",
		"Linux version ../a (":   "",
	} {
		require.NoError(t, os.WriteFile(path, append(head, text...), 0o644))
		arch, release, err := identify(path)
		require.Equal(t, "arm64", arch)
		require.Equal(t, want, release, text)
		if want == "" {
			require.ErrorIs(t, err, ErrNotKernel)
		}
	}
}

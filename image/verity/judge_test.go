package verity_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/verity"
)

// veritysetup runs a command of veritysetup and returns what it printed.
func veritysetup(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.Command(fixture.RequireTool(t, "veritysetup"), args...).CombinedOutput()
	return string(out), err
}

// format lets veritysetup make a hash tree and returns its file and the root hash.
func format(t *testing.T, p verity.Params, data string) (tree, root string) {
	t.Helper()
	salt := hex.EncodeToString(p.Salt)
	if salt == "" {
		salt = "-"
	}
	tree = filepath.Join(t.TempDir(), "theirs")
	out, err := veritysetup(t, "format", data, tree, "--salt", salt, "--uuid", p.UUID.String(), "--hash", p.Algorithm,
		"--data-block-size", strconv.Itoa(p.DataBlockSize), "--hash-block-size", strconv.Itoa(p.HashBlockSize))
	require.NoError(t, err, out)
	return tree, regexp.MustCompile(`Root hash:\s+([0-9a-f]+)`).FindStringSubmatch(out)[1]
}

func TestTreeIsWhatVeritysetupMakes(t *testing.T) {
	salt := bytes.Repeat([]byte{0xa5}, 32)
	for _, tc := range []struct {
		algorithm  string
		data, hash int
		salt       []byte
		blocks     int64
		full       bool
	}{
		{"sha256", 4096, 4096, salt, 1, true},
		{"sha256", 4096, 4096, salt, 2, true},
		{"sha256", 4096, 4096, salt, 128, true},
		{"sha256", 4096, 4096, salt, 129, true},
		{"sha256", 4096, 4096, salt, 1000, false},
		{"sha256", 4096, 4096, salt, 128 * 128, false},
		{"sha256", 4096, 4096, salt, 128*128 + 1, false},
		{"sha256", 4096, 4096, nil, 3000, true},
		{"sha256", 4096, 4096, salt, 70000, false}, // with holes of many hash blocks
		{"sha512", 4096, 4096, salt, 5000, false},
		{"sha256", 1024, 4096, salt[:7], 9000, false},
		{"sha512", 1024, 512, bytes.Repeat(salt, 8), 700, false},
		{"sha256", 512, 1024, salt, 40000, false},
	} {
		p := verity.Params{Algorithm: tc.algorithm, DataBlockSize: tc.data, HashBlockSize: tc.hash, Salt: tc.salt, UUID: id}
		t.Run(fmt.Sprintf("%s %d %d %d", tc.algorithm, tc.data, tc.hash, tc.blocks), func(t *testing.T) {
			size := tc.blocks * int64(tc.data)
			data := filepath.Join(t.TempDir(), "data")
			pieces := everything(size)
			if !tc.full {
				pieces = scattered(size)
			}
			writeFile(t, data, size, pieces)
			theirs, wantRoot := format(t, p, data)

			ours, root := makeTree(t, p, size, pieces)
			require.Equal(t, wantRoot, root)
			want, err := os.ReadFile(theirs)
			require.NoError(t, err)
			got, err := os.ReadFile(ours)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got), "the tree differs")
			out, err := veritysetup(t, "verify", data, ours, root)
			require.NoError(t, err, out)
		})
	}
}

func TestVeritysetupSeesAFlippedByte(t *testing.T) {
	const size = 4 << 20
	data := filepath.Join(t.TempDir(), "data")
	writeFile(t, data, size, scattered(size))
	tree, root := makeTree(t, params, size, scattered(size))
	f, err := os.OpenFile(data, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte{1}, size-1)
	require.NoError(t, err)
	out, err := veritysetup(t, "verify", data, tree, root)
	require.Error(t, err)
	require.Contains(t, out, "Verification failed at position 4190208")
}

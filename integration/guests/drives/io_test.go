package drives

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
)

// scene is how many blocks the commands of TestIO work on.
const scene = 32

// A command does the same by us and by nvme-cli.
type command struct {
	name   string
	ours   func(t *testing.T, ns *nvme.Namespace, data []byte) error // data is two blocks
	theirs string                                                    // FILE is the same two blocks
	want   error                                                     // a Status, or nil
}

var commands = []command{
	{"write", func(t *testing.T, ns *nvme.Namespace, data []byte) error {
		return ns.Write(t.Context(), 3, data, nvme.IOOptions{})
	}, "write -s 3 -c 1 -z SIZE -d FILE", nil},
	{"write at once", func(t *testing.T, ns *nvme.Namespace, data []byte) error {
		return ns.Write(t.Context(), 3, data, nvme.IOOptions{ForceUnitAccess: true})
	}, "write -s 3 -c 1 -z SIZE -d FILE -f", nil},
	{"write zeroes", func(t *testing.T, ns *nvme.Namespace, _ []byte) error {
		return ns.WriteZeroes(t.Context(), 4, 5, false, nvme.IOOptions{})
	}, "write-zeroes -s 4 -c 4", nil},
	{"write zeroes and deallocate", func(t *testing.T, ns *nvme.Namespace, _ []byte) error {
		return ns.WriteZeroes(t.Context(), 8, 8, true, nvme.IOOptions{})
	}, "write-zeroes -s 8 -c 7 -d", nil},
	{"deallocate", func(t *testing.T, ns *nvme.Namespace, _ []byte) error {
		return ns.DatasetManagement(t.Context(), nvme.Deallocate, nvme.DatasetRange{LBA: 8, Blocks: 8}, nvme.DatasetRange{LBA: 24, Blocks: 8})
	}, "dsm -s 8,24 -b 8,8 -a 0,0 -d", nil},
	{"copy", func(t *testing.T, ns *nvme.Namespace, _ []byte) error {
		return ns.Copy(t.Context(), 16, nvme.IOOptions{}, nvme.CopySource{LBA: 9, Blocks: 2}, nvme.CopySource{LBA: 0, Blocks: 3})
	}, "copy -d 16 -s 9,0 -b 1,2", nil},
	{"verify", func(t *testing.T, ns *nvme.Namespace, _ []byte) error {
		return ns.Verify(t.Context(), 0, scene, nvme.IOOptions{})
	}, "verify -s 0 -c 31", nil},
	{"flush", func(t *testing.T, ns *nvme.Namespace, _ []byte) error { return ns.Flush(t.Context()) }, "flush", nil},
	{"compare what differs", func(t *testing.T, ns *nvme.Namespace, data []byte) error {
		return ns.Compare(t.Context(), 3, data, nvme.IOOptions{})
	}, "compare -s 3 -c 1 -z SIZE -d FILE", nvme.StatusCompareFailure},
	{"write uncorrectable", func(t *testing.T, ns *nvme.Namespace, _ []byte) error {
		return ns.WriteUncorrectable(t.Context(), 3, 2)
	}, "write-uncor -s 3 -c 1", nvme.StatusInvalidOpcode},
}

// Each command leaves the same blocks behind, and answers with the same status,
// as nvme-cli's.
func TestIO(t *testing.T) {
	c, path := drive(t)
	for _, format := range []int{0, 4} { // 512 and 4096 bytes
		require.NoError(t, c.Format(t.Context(), nvme.FormatOptions{NSID: 1, Format: format}))
		ns, err := c.Namespace(t.Context(), 1)
		require.NoError(t, err)
		data := bytes.Repeat([]byte("drivebay"), 2*ns.BlockBytes()/8)
		file := filepath.Join(t.TempDir(), "data")
		require.NoError(t, os.WriteFile(file, data, 0o600))
		for _, tt := range commands {
			t.Run(fmt.Sprintf("%s, blocks of %d", tt.name, ns.BlockBytes()), func(t *testing.T) {
				setScene(t, ns)
				ours := cause(t, tt.ours(t, ns, data))
				left := make([]byte, scene*ns.BlockBytes())
				require.NoError(t, ns.Read(t.Context(), 0, left, nvme.IOOptions{}))

				setScene(t, ns)
				args := strings.NewReplacer("SIZE", fmt.Sprint(len(data)), "FILE", file).Replace(tt.theirs)
				name, rest, _ := strings.Cut(args, " ")
				_, theirs := run(t, append([]string{name, path + "n1", "-n", "1"}, strings.Fields(rest)...)...)
				require.Equal(t, theirs, ours)
				require.ErrorIs(t, ours, tt.want)
				require.True(t, bytes.Equal(readScene(t, path, ns), left), "what is left behind")
			})
		}
	}
	require.NoError(t, c.Format(t.Context(), nvme.FormatOptions{NSID: 1}))
}

// setScene writes blocks that all differ.
func setScene(t *testing.T, ns *nvme.Namespace) {
	t.Helper()
	var b []byte
	for i := range scene {
		b = append(b, bytes.Repeat([]byte{byte(i + 1)}, ns.BlockBytes())...)
	}
	require.NoError(t, ns.Write(t.Context(), 0, b, nvme.IOOptions{}))
}

// readScene reads them by nvme-cli.
func readScene(t *testing.T, path string, ns *nvme.Namespace) []byte {
	t.Helper()
	size := scene * ns.BlockBytes()
	file := filepath.Join(t.TempDir(), "scene")
	_, err := run(t, "read", path+"n1", "-n", "1", "-s", "0", "-c", fmt.Sprint(scene-1), "-z", fmt.Sprint(size), "-d", file)
	require.NoError(t, err)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return b
}

package ext4_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
)

// TestLargerVolumesHoldTheSame plans a tree on the smallest volume and on larger ones,
// past the sizes from which on volumes have a journal, or a larger one.
func TestLargerVolumesHoldTheSame(t *testing.T) {
	const mib = 1 << 20
	for _, size := range []int64{5 * mib, 7 * mib, 110 * mib, 121 * mib} {
		t.Run(fmt.Sprint(size/mib), func(t *testing.T) {
			fs := &ext4.FileSystem{Tree: one(t, "file", filetree.Entry{
				Mode: 0o644, Size: size, Data: []filetree.Range{{Length: size}},
				Open: func() (filetree.Content, error) { return io.NopCloser(io.LimitReader(zeros{}, size)), nil },
			})}
			p, err := fs.Plan(t.Context(), geometry(0))
			require.NoError(t, err)
			smallest := p.Info().Size
			for more := int64(0); more <= 24*mib; more += mib / 4 {
				_, err := fs.Plan(t.Context(), geometry(smallest+more))
				require.NoError(t, err, "%d bytes more than %d", more, smallest)
			}
			if size < 10*mib {
				tool(t, "e2fsck", "-fn", write(t, fs, smallest+2*mib))
			}
		})
	}
}

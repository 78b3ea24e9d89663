package problems_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/problems"
)

func TestList(t *testing.T) {
	root := filetree.New().Root()
	cause := errors.New("cause")
	for n, want := range map[int]string{
		0:                "",
		1:                "fat .: 0: cause",
		2:                "fat .: 0: cause\nfat .: 1: cause",
		problems.Max + 3: "fat .: 9: cause\nand 3 more such problems",
	} {
		l := problems.List{Op: "fat"}
		for i := range n {
			l.Add(root, fmt.Errorf("%d: %w", i, cause))
		}
		for range 2 { // it is the same each time
			if err := l.Err(); n == 0 {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, cause)
				require.True(t, strings.HasSuffix(err.Error(), want), err)
				require.Equal(t, min(n, problems.Max+1), len(strings.Split(err.Error(), "\n")))
				var path *filetree.PathError
				require.ErrorAs(t, err, &path)
			}
		}
	}
}

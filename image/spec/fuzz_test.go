package spec

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// maxFuzz is the longest file that is tried, in bytes.
const maxFuzz = 4096

// FuzzParse holds that a spec is read or refused with the name of its file, and
// that the same file gives the same spec.
func FuzzParse(f *testing.F) {
	b, err := os.ReadFile("testdata/issue.yaml")
	require.NoError(f, err)
	f.Add(b)
	for _, tc := range slices.Concat(parseErrors, fileErrors) {
		if len(tc.yaml) <= maxFuzz {
			f.Add([]byte(tc.yaml))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxFuzz {
			t.Skip("go-yaml takes time that grows with the square of some files")
		}
		s, err := Parse("disk.yaml", bytes.NewReader(b), "/nonexistent")
		if err != nil {
			var e *Error
			require.True(t, errors.As(err, &e), "%v", err)
			require.True(t, strings.HasPrefix(err.Error(), "disk.yaml:"), "%v", err)
			return
		}
		again, err := Parse("disk.yaml", bytes.NewReader(b), "/nonexistent")
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}

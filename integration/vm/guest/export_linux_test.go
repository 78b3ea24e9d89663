package guest

import (
	"testing"
	"time"
)

// SetBootLimit changes the limit under TCG for the length of a test.
func SetBootLimit(t *testing.T, limit time.Duration) {
	old := bootLimitTCG
	bootLimitTCG = limit
	t.Cleanup(func() { bootLimitTCG = old })
}

// Libraries returns what the executable at a path needs.
func Libraries(path string) ([]string, error) { return newLibraries().of(path) }

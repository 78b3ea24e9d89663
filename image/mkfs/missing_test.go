package mkfs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMissingProgram(t *testing.T) {
	p := &plan{fs: &FileSystem{Type: "none"}, kind: &kind{programs: []string{"mkfs.no-such-program"}, pkg: "no-such-progs"}}
	err := p.findPrograms()
	require.ErrorIs(t, err, ErrNotInstalled)
	require.EqualError(t, err, "none: program mkfs.no-such-program: not installed: Debian has it in the package no-such-progs")
}

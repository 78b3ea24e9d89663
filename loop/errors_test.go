package loop_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/loop"
)

func TestErrorTexts(t *testing.T) {
	for _, tc := range []struct {
		err  error
		is   error
		want string
	}{
		{&loop.OptionError{Field: "Size", Value: 1000, Want: "a multiple of 512"}, fs.ErrInvalid,
			"Size is 1000: want a multiple of 512"},
		{&loop.PartitionError{Op: "add", Device: "loop3", Number: 2, Start: 4096, Size: 512, Err: loop.ErrOverlap}, loop.ErrOverlap,
			"add partition 2 of loop3 (start 4096, size 512): overlaps another partition"},
		{&loop.PartitionError{Op: "delete", Device: "loop3", Number: 2, Err: loop.ErrBusy}, loop.ErrBusy,
			"delete partition 2 of loop3: device is in use"},
	} {
		require.EqualError(t, tc.err, tc.want)
		require.ErrorIs(t, tc.err, tc.is)
	}
	require.False(t, errors.Is(&loop.OptionError{}, fs.ErrNotExist))
}

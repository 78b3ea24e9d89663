package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnAnEmulatedDrive(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	require.Equal(t, `update firmware
  drive      Drivebay Consumer, serial DRIVEBAY0001, firmware 1.0.0
  image      524288 bytes in 128 parts of 4096
  slot       2, which is empty
  commit     replace, activate at reset
  reset      controller level reset
download 0%
download 25%
download 50%
download 75%
download 100%
commit 0%
commit 100%
controller reset 0%
controller reset 100%
verify 100%
firmware 1.1.0 runs from slot 2, before it was 1.0.0
`, out.String())
}

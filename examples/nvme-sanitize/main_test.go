package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnAnEmulatedDrive(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	require.Equal(t, `sanitize
  drive      Drivebay Consumer, serial DRIVEBAY0001, firmware 1.0.0
  action     block erase
  takes      about 3m0s, by the drive
  destroys   all data of the drive, on every namespace (here nsid 1)
sanitize 0%
sanitize 25%
sanitize 50%
sanitize 75%
sanitize 100%
sanitized, nothing written since
`, out.String())
}

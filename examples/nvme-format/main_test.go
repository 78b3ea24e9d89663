package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnAnEmulatedDrive(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	require.Equal(t, `format namespace 1
  drive      Drivebay Consumer, serial DRIVEBAY0001, firmware 1.0.0
  blocks     512 -> 4096 (LBA format 1)
  erase      no secure erase
  destroys   all data of nsid 1
format
format 25%
format 50%
format 75%
format 100%
formatted from 512 to 4096, 125026902 blocks
`, out.String())
}

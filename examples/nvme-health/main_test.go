package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnAnEmulatedDrive(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	require.Equal(t, `Drivebay Enterprise, serial DRIVEBAY0001, NVMe 2.0
  warnings     spare|temperature
  temperature  71 °C, warns at 70 °C
  endurance    97% used, 8% spare left of at least 10%
  written      0.0 GB
  powered on   0 hours, 1 times, 0 times lost in surprise
  errors       0 of media, 0 in the log
  firmware     slot 1: GOLDEN
  firmware     slot 2: 2.0.0, runs
  namespace 1  1048576 blocks of 512 bytes
  namespace 2  1048576 blocks of 4096 bytes
`, out.String())
}

package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/integration/vm"
)

func TestParseNVMe(t *testing.T) {
	d, err := parseNVMe("nvme0", "size=1G,block=4096,ms=8,pi=1,extended=true,serial=S")
	require.NoError(t, err)
	require.Equal(t, &vm.NVMe{ID: "nvme0", Serial: "S", Namespaces: []vm.Namespace{
		{Disk: vm.Disk{Size: 1 << 30}, BlockSize: 4096, Metadata: 8, Protection: 1, Extended: true},
	}}, d)

	d, err = parseNVMe("nvme1", "subsystem=pair,nsid=2,pif=2,shared=true,detached=true")
	require.NoError(t, err)
	require.Equal(t, &vm.NVMe{ID: "nvme1", Subsystem: "pair", Namespaces: []vm.Namespace{
		{Disk: vm.Disk{Size: 64 << 20}, Shared: true, Detached: true, Properties: map[string]any{"nsid": 2, "pif": 2}},
	}}, d)
}

func TestControllersShareASubsystem(t *testing.T) {
	o := options{memory: "1G", nvme: list{"subsystem=pair", "subsystem=pair,nsid=2"}}
	m, err := o.machine()
	require.NoError(t, err)
	require.Len(t, m.Devices, 3)
	require.Equal(t, &vm.Subsystem{ID: "pair"}, m.Devices[0])
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{"1": 1, "2K": 2048, "3M": 3 << 20, "4G": 4 << 30} {
		got, err := parseSize(s)
		require.NoError(t, err)
		require.Equal(t, want, got, s)
	}
	for _, s := range []string{"", "0", "-1", "M", "1T", "9999999999G", "1.5G"} {
		_, err := parseSize(s)
		require.Error(t, err, s)
	}
}

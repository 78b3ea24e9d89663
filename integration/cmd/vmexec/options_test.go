package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/integration/vm"
)

// TestParse has the environment below the file and the file below the command
// line.
func TestParse(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(config, []byte("memory=2G\ncpus=3\nmodule=loop max_part=15\nudev\n"), 0o644))
	t.Setenv("VMEXEC", "-memory 4G -kernel 6.1 -cpus 9")
	o, err := parse([]string{"-config", config, "-cpus", "2", "-module", "vfat", "prog", "-cpus", "7"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, &options{
		kernel: "6.1", memory: "2G", cpus: 2, config: config, udev: true,
		modules: list{"loop max_part=15", "vfat"}, command: []string{"prog", "-cpus", "7"},
	}, o)
}

func TestParseTest(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want testArgs
	}{
		{[]string{"-v"}, testArgs{}},
		{[]string{"-test.v", "-test.timeout=90s", "-test.testlogfile=/t/log"}, testArgs{isTest: true, timeout: 90 * time.Second}},
		{[]string{"-test.coverprofile=/t/c", "-test.gocoverdir=/t/g"}, testArgs{isTest: true, collect: []string{"/t/c", "/t/g"}}},
		{[]string{"-test.cpuprofile=cpu", "-test.outputdir=/out"}, testArgs{isTest: true, collect: []string{"/out/cpu"}}},
		{[]string{"-test.trace=t"}, testArgs{isTest: true, collect: []string{"/dir/t"}}},
		{[]string{"-test.artifacts=true", "-test.outputdir=/out"}, testArgs{isTest: true, collect: []string{"/out/_artifacts"}}},
		{[]string{"-test.fuzz=F", "-test.fuzzcachedir=/cache"}, testArgs{isTest: true, collect: []string{"/cache", "/dir/testdata/fuzz"}}},
		{[]string{"-test.v", "--", "-test.trace=t"}, testArgs{isTest: true}},
	} {
		require.Equal(t, tc.want, parseTest(tc.args, "/dir"), tc.args)
	}
}

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

func TestQuote(t *testing.T) {
	require.Equal(t, "a=b", quote("a=b"))
	require.Equal(t, "''", quote(""))
	require.Equal(t, `'a b'`, quote("a b"))
	require.Equal(t, `'it'\''s'`, quote("it's"))
}

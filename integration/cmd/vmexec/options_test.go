package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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

func TestQuote(t *testing.T) {
	require.Equal(t, "a=b", quote("a=b"))
	require.Equal(t, "''", quote(""))
	require.Equal(t, `'a b'`, quote("a b"))
	require.Equal(t, `'it'\''s'`, quote("it's"))
}

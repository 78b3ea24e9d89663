package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// testArgs are what the arguments of a test binary say to vmexec.
type testArgs struct {
	isTest  bool
	timeout time.Duration // 0 none
	collect []string      // files and directories that come back
}

// profiles are the flags that name a file which a test binary writes: go help
// testflag.
var profiles = []string{"coverprofile", "cpuprofile", "memprofile", "blockprofile", "mutexprofile", "trace"}

// parseTest reads the arguments that go test gives a binary, -test.name=value.
// The log of what a test has read (-test.testlogfile) is left behind: go test
// would take its results from the cache although the kernel may be another.
func parseTest(args []string, dir string) (t testArgs) {
	values := map[string]string{}
	for _, arg := range args {
		if arg == "--" || arg == "-args" {
			break
		}
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if name, ok := strings.CutPrefix(name, "test."); ok {
			t.isTest = true
			values[name] = value
		}
	}
	t.timeout, _ = time.ParseDuration(values["timeout"])
	output := values["outputdir"]
	if output == "" {
		output = dir
	}
	absolute := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(output, path)
	}
	for _, name := range profiles {
		if value := values[name]; value != "" {
			t.collect = append(t.collect, absolute(value))
		}
	}
	for _, name := range []string{"gocoverdir", "fuzzcachedir"} {
		if value := values[name]; value != "" {
			t.collect = append(t.collect, absolute(value))
		}
	}
	if values["artifacts"] == "true" || slices.Contains(args, "-test.artifacts") {
		t.collect = append(t.collect, filepath.Join(output, "_artifacts"))
	}
	if values["fuzz"] != "" {
		t.collect = append(t.collect, filepath.Join(dir, "testdata", "fuzz"))
	}
	return t
}

// packageFiles returns what a test finds in its directory: the package's files,
// and all of testdata.
func packageFiles(dir string) (files []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Type().IsRegular() || e.Type() == fs.ModeSymlink || e.IsDir() && e.Name() == "testdata" {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

package guests

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/integration/vm/kernel"
)

var update = flag.Bool("update", false, "write the table of suites into README.md")

// result is what became of a suite on a kernel.
type result struct {
	Suite   string
	Kernel  string // its release
	Passed  int    // tests; 0 where the suite is no run of go test
	Skipped []string
	Failed  bool
}

// results are those of a run.
type results struct {
	mu  sync.Mutex
	all []result
}

func (r *results) add(one result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

// check writes the results to the artifacts of the run, and compares README.md's
// table with them. A run of some suites alone makes no table.
func (r *results) check(t *testing.T) {
	b, err := json.MarshalIndent(r.all, "", "\t")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(t.ArtifactDir(), "suites.json"), b, 0o644))
	if len(r.all) != len(suites)*len(kernel.Packages()) || t.Failed() {
		return
	}
	const path = "../../README.md"
	readme, err := os.ReadFile(path)
	require.NoError(t, err)
	before, after := aroundTable(t, string(readme))
	want := before + r.table() + after
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(readme), "README.md's table is not that of this run: write it with go test -run TestSuites ./integration/guests -update")
}

// tableHead begins the table in README.md, which ends at an empty line.
const tableHead = "| suite |"

func aroundTable(t *testing.T, readme string) (before, after string) {
	before, rest, ok := strings.Cut(readme, tableHead)
	require.True(t, ok, "README.md has no table that begins with %q", tableHead)
	_, after, ok = strings.Cut(rest, "\n\n")
	require.True(t, ok)
	return before, "\n" + after
}

// table returns the table: no counts and no releases, which change with every test
// and every update of Debian's.
func (r *results) table() string {
	var s strings.Builder
	s.WriteString(tableHead)
	for _, series := range kernelSeries(r.all) {
		fmt.Fprintf(&s, " Linux %s |", series)
	}
	s.WriteString("\n|---" + strings.Repeat("|---", len(kernelSeries(r.all))) + "|\n")
	for _, suite := range suites {
		fmt.Fprintf(&s, "| %s |", suite.name)
		for _, series := range kernelSeries(r.all) {
			fmt.Fprintf(&s, " %s |", r.of(suite.name, series))
		}
		s.WriteString("\n")
	}
	return s.String()
}

// of returns the word for a suite on the kernels of a series.
func (r *results) of(suite, series string) string {
	i := slices.IndexFunc(r.all, func(one result) bool { return one.Suite == suite && seriesOf(one.Kernel) == series })
	switch {
	case i < 0:
		return "not run"
	case r.all[i].Failed:
		return "failed"
	}
	return "passed"
}

// kernelSeries returns the series of the kernels that have run, the oldest first.
func kernelSeries(all []result) (series []string) {
	for _, one := range all {
		if s := seriesOf(one.Kernel); !slices.Contains(series, s) {
			series = append(series, s)
		}
	}
	slices.SortFunc(series, func(a, b string) int {
		var x, y [2]int
		_, _ = fmt.Sscanf(a, "%d.%d", &x[0], &x[1])
		_, _ = fmt.Sscanf(b, "%d.%d", &y[0], &y[1])
		return slices.Compare(x[:], y[:])
	})
	return series
}

// seriesOf returns "6.1" of "6.1.0-56-cloud-amd64".
func seriesOf(release string) string {
	words := strings.SplitN(release, ".", 3)
	return strings.Join(words[:min(2, len(words))], ".")
}

func TestTable(t *testing.T) {
	r := results{all: []result{
		{Suite: "loop", Kernel: "6.12.117+deb12-cloud-amd64", Passed: 3},
		{Suite: "loop", Kernel: "6.1.0-56-cloud-amd64", Passed: 3, Skipped: []string{"TestX"}},
		{Suite: "fixture", Kernel: "6.1.0-56-cloud-amd64", Failed: true},
	}}
	lines := strings.Split(r.table(), "\n")
	require.Equal(t, "| suite | Linux 6.1 | Linux 6.12 |", lines[0])
	require.Equal(t, "|---|---|---|", lines[1])
	require.Contains(t, lines, "| loop | passed | passed |")
	require.Contains(t, lines, "| fixture | failed | not run |")
	before, after := aroundTable(t, "text\n\n| suite | old |\n| a | b |\n\nmore\n")
	require.Equal(t, "text\n\n", before)
	require.Equal(t, "\nmore\n", after)
}

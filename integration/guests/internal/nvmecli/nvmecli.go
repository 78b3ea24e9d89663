// Package nvmecli runs nvme-cli in tests, and compares what it prints with ours.
package nvmecli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
)

// Run runs nvme-cli and returns what it prints, to whichever stream.
func Run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, fixture.RequireTool(t, "nvme"), args...).CombinedOutput()
	return string(out), err
}

// Page returns what nvme-cli prints of a page as JSON.
func Page(t *testing.T, args ...string) map[string]any {
	t.Helper()
	cmd := exec.Command(fixture.RequireTool(t, "nvme"), append(args, "-o", "json")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%v: %s", cmd.Args, &stderr)
	return Parse(t, out[max(bytes.IndexByte(out, '{'), 0):]) // there may be a text before
}

// Parse parses JSON, and keeps numbers as they are written.
func Parse(t *testing.T, b []byte) (v map[string]any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	require.NoError(t, d.Decode(&v), "%s", b)
	return v
}

// RequireSame wants every member of what nvme-cli has to be the same in the JSON of
// ours, which may have more.
func RequireSame(t *testing.T, ours any, theirs map[string]any) {
	t.Helper()
	b, err := json.Marshal(ours)
	require.NoError(t, err)
	require.Empty(t, Differences("", Parse(t, b), theirs))
}

// Differences compares what nvme-cli has with ours, member by member.
func Differences(path string, ours, theirs any) (all []string) {
	switch theirs := theirs.(type) {
	case map[string]any:
		o, _ := ours.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(theirs)) {
			all = append(all, Differences(path+"."+name, o[name], theirs[name])...)
		}
	case []any:
		o, _ := ours.([]any)
		if len(o) < len(theirs) {
			return []string{fmt.Sprintf("%s has %d members, want %d", path, len(o), len(theirs))}
		}
		for i := range theirs {
			all = append(all, Differences(fmt.Sprintf("%s[%d]", path, i), o[i], theirs[i])...)
		}
	default:
		if o, want := strings.TrimSpace(fmt.Sprint(ours)), strings.TrimSpace(fmt.Sprint(theirs)); o != want {
			all = append(all, fmt.Sprintf("%s is %s, want %s", path, o, want))
		}
	}
	return all
}

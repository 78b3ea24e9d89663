// Package nvmecli runs nvme-cli for tests, and compares what it prints with ours.
package nvmecli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/drivebay/drivebay/nvme"
)

// statusText is how nvme-cli writes the status of a command that has failed.
var statusText = regexp.MustCompile(`NVMe status: .*\(0x([0-9a-f]+)\)`)

// Run runs nvme-cli, whose path is given, and returns what it prints, to whichever
// stream. The error of a command that has failed is the [nvme.Status] that the drive
// has answered with, or os.ErrPermission where the kernel has kept it from the drive.
func Run(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	out, err := cmd.CombinedOutput()
	if m := statusText.FindSubmatch(out); m != nil {
		status, err := strconv.ParseUint(string(m[1]), 16, 16)
		if err != nil {
			return string(out), err
		}
		return string(out), nvme.Status(status)
	}
	switch {
	case err == nil:
		return string(out), nil
	case bytes.Contains(out, []byte("Permission denied")):
		return string(out), os.ErrPermission
	}
	return string(out), fmt.Errorf("%v: %w: %s", cmd.Args, err, out)
}

// Cause makes of an error of package nvme what [Run] returns.
func Cause(err error) error {
	var e *nvme.CommandError
	switch {
	case errors.As(err, &e):
		return e.Status
	case errors.Is(err, os.ErrPermission):
		return os.ErrPermission
	}
	return err
}

// Page runs nvme-cli, whose path is given, and returns what it prints as JSON.
// Numbers stay as they are written.
func Page(ctx context.Context, program string, args ...string) (any, error) {
	cmd := exec.CommandContext(ctx, program, append(args, "-o", "json")...)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, fmt.Errorf("%v: %w: %s", cmd.Args, err, exit.Stderr)
	} else if err != nil {
		return nil, err
	}
	page, err := Parse(out)
	if err != nil {
		return nil, fmt.Errorf("%v: %w: %s", cmd.Args, err, out)
	}
	return page, nil
}

// Parse returns the JSON in what nvme-cli prints, before which there may be a text.
// Numbers stay as they are written.
func Parse(out []byte) (any, error) { return decode(out[max(bytes.IndexByte(out, '{'), 0):]) }

func decode(b []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// Differences tells where the JSON of ours is not what nvme-cli has; that it has
// more is none.
func Differences(ours, theirs any) ([]string, error) {
	b, err := json.Marshal(ours)
	if err != nil {
		return nil, err
	}
	parsed, err := decode(b)
	if err != nil {
		return nil, err
	}
	return differences("", parsed, theirs), nil
}

// differences compares member by member.
func differences(path string, ours, theirs any) (all []string) {
	switch theirs := theirs.(type) {
	case map[string]any:
		o, _ := ours.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(theirs)) {
			all = append(all, differences(path+"."+name, o[name], theirs[name])...)
		}
	case []any:
		o, _ := ours.([]any)
		if len(o) < len(theirs) {
			return []string{fmt.Sprintf("%s has %d members, want %d", path, len(o), len(theirs))}
		}
		for i := range theirs {
			all = append(all, differences(fmt.Sprintf("%s[%d]", path, i), o[i], theirs[i])...)
		}
	default:
		if o, want := strings.TrimSpace(fmt.Sprint(ours)), strings.TrimSpace(fmt.Sprint(theirs)); o != want {
			all = append(all, fmt.Sprintf("%s is %s, want %s", path, o, want))
		}
	}
	return all
}

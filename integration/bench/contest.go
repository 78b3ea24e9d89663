package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// group is a contest: the same image, made in several ways.
type group struct {
	name, title string
	peer        string // the usual tool
	judge       string // the tool that tells a good image from a bad one
	check       string // a script that fails where the judge finds it bad
	entries     []*contender
}

// contender is a way to make an image.
type contender struct {
	name string
	// Either the arguments for this program as a child, or a shell script.
	child  []string
	script string
	// tools are the programs that the script needs.
	tools []string
	// once is set for what takes so long that it is run once, without a warm-up.
	once bool
	// check is a script as the group's, "" for the group's own.
	check string
	// tree, where it has files, is made for this contender alone, before its first
	// run, and is what its TREE is.
	tree spec

	samples []sample
	size    int64 // of the image, in bytes
	failure error
	verdict string
}

// floor is the name of what all others are measured against.
const floor = "floor"

// sample is one run.
type sample struct {
	wall, cpu time.Duration
	peak      int64 // bytes
}

// measure runs the contenders of a group, in turn and round by round.
func (g *group) measure(ctx context.Context, w *work, only *regexp.Regexp, progress io.Writer) error {
	g.entries = slices.DeleteFunc(g.entries, func(c *contender) bool { return !only.MatchString(g.name + "/" + c.name) })
	for _, c := range g.entries {
		c.failure = c.available()
	}
	for round := range w.rounds + 1 {
		for _, c := range g.entries {
			if c.failure != nil || c.once && round > 0 {
				continue
			}
			if err := w.makeOwnTree(ctx, c, round); err != nil {
				return err
			}
			start := time.Now()
			if err := g.run(ctx, w, c, round); ctx.Err() != nil {
				return context.Cause(ctx)
			} else if err != nil {
				c.failure = err
			}
			fmt.Fprintf(progress, "%s/%s, round %d of %d: %.2f s\n", g.name, c.name, round, w.rounds, time.Since(start).Seconds())
		}
	}
	return nil
}

// available tells which of the contender's programs are missing.
func (c *contender) available() error {
	var missing []string
	for _, tool := range c.tools {
		if lookTool(tool) != nil {
			missing = append(missing, tool)
		}
	}
	if missing != nil {
		return fmt.Errorf("not installed: %s", strings.Join(missing, ", "))
	}
	return nil
}

// lookTool finds a program, the system's among them, which the PATH of an
// ordinary user does not name.
func lookTool(name string) error {
	_, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
		if err != nil {
			_, err = exec.LookPath(dir + name)
		}
	}
	return err
}

// run makes the image once. Round 0 is a warm-up, of what is run more than once.
func (g *group) run(ctx context.Context, w *work, c *contender, round int) error {
	out := w.output()
	var cmd *exec.Cmd
	if c.child != nil {
		cmd = exec.CommandContext(ctx, w.self, append([]string{childArg}, c.child...)...)
	} else {
		cmd = exec.CommandContext(ctx, "sh", "-ec", c.script)
	}
	cmd.Env = w.envOf(c, out)
	s, err := w.time(cmd)
	if err != nil {
		return err
	}
	if info, err := os.Stat(out); err == nil {
		c.size = info.Size()
	}
	if round == 0 && c.name != floor {
		c.verdict = g.judged(ctx, w, c, out)
	}
	if round > 0 || c.once {
		c.samples = append(c.samples, s)
	}
	if w.keep && (round == w.rounds || c.once) {
		return nil
	}
	return os.RemoveAll(out)
}

// time runs a command.
func (w *work) time(cmd *exec.Cmd) (sample, error) {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		return sample{}, fmt.Errorf("%w: %s", err, lastLines(output.String()))
	}
	state := cmd.ProcessState
	return sample{wall: wall, cpu: state.UserTime() + state.SystemTime(), peak: peak(state)}, nil
}

// judged returns what another tool says of the image.
func (g *group) judged(ctx context.Context, w *work, c *contender, out string) string {
	if lookTool(g.judge) != nil {
		return "no " + g.judge
	}
	cmd := exec.CommandContext(ctx, "sh", "-ec", cmp.Or(c.check, g.check))
	cmd.Env = w.envOf(c, out)
	if err := cmd.Run(); err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return fmt.Sprintf("%s: BAD (%d)", g.judge, exit.ExitCode())
		}
		return err.Error()
	}
	return g.judge + ": good"
}

// lastLines returns the last two lines of a program's messages: the reason is
// often in the one before the last.
func lastLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-2):], "; ")
}

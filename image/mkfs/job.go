package mkfs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/drivebay/drivebay/image/volume"
)

// job is one making of a file system.
type job struct {
	*plan
	ctx  context.Context
	file *os.File // what it is made in
}

// path returns the path of the file, for the programs.
func (j *job) path() string { return procPath(j.file) }

// write makes the file system and copies it to w.
func (p *plan) write(ctx context.Context, w *volume.Writer) error {
	f, err := unnamed()
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(p.size); err != nil {
		return err
	}
	j := &job{plan: p, ctx: ctx, file: f}
	if err := p.kind.make(j); err != nil {
		return err
	}
	return j.copy(w)
}

// command returns a command of one of the kind's programs.
func (j *job) command(program int, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(j.ctx, j.programs[program], args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DETERMINISTIC_SEED=1",
		"BLKID_FILE=/dev/null") // no list of the disks that were here once
	if !j.time.IsZero() {
		cmd.Env = append(cmd.Env, "SOURCE_DATE_EPOCH="+strconv.FormatInt(j.time.Unix(), 10))
	}
	return cmd
}

// run runs one of the kind's programs.
func (j *job) run(program int, args ...string) error {
	return runCommand(j.command(program, args...))
}

func runCommand(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, reason(out))
	}
	return nil
}

// reason returns what a program said, as a line: the first ones, since usage may
// follow.
func reason(out []byte) string {
	lines := strings.Split(string(bytes.TrimSpace(out)), "\n")
	return strings.Join(lines[:min(3, len(lines))], "; ")
}

// copy copies the data of the file to w, and leaves out its holes.
func (j *job) copy(w *volume.Writer) error {
	for pos := int64(0); pos < j.size; {
		start, end, err := nextData(j.file, pos, j.size)
		if err != nil {
			return err
		}
		if start >= j.size {
			return nil
		}
		if _, err := j.file.Seek(start, 0); err != nil {
			return err
		}
		if err := w.SkipTo(start); err != nil {
			return err
		}
		for pos = start; pos < end; {
			n := min(end-pos, 8*mib) // between two looks at the context
			if err := w.ReadN(j.file, n); err != nil {
				return err
			}
			if err := w.Err(j.ctx); err != nil {
				return err
			}
			pos += n
		}
	}
	return nil
}

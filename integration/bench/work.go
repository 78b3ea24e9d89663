package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// work is what the contenders work on.
type work struct {
	dir     string
	self    string // this program
	profile string
	tree    spec // for ext4
	boot    spec // for FAT
	sparse  int64
	rounds  int
	keep    bool
	runs    int      // so far
	notes   []string // on the trees
	// least is the smallest peak that can be told, in bytes: what Linux counts
	// of this process.
	least int64
}

// The sizes of the small tree and of its image are those of a usual EFI system
// partition.
const (
	mib      = 1 << 20
	bootSize = 40 * mib
	bootRoom = 64 * mib
	bootLen  = 20
)

// newWork makes the trees.
func newWork(ctx context.Context, c *config, dir string) (*work, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	w := &work{
		dir: dir, self: self, profile: c.profile, sparse: int64(c.sparse), rounds: c.rounds, keep: c.keep,
		tree: spec{dir: filepath.Join(dir, "tree"), size: int64(c.size), files: c.files, sparse: int64(c.sparse), mixed: true},
		boot: spec{dir: filepath.Join(dir, "boot"), size: bootSize, files: bootLen},
	}
	if w.profile != "" {
		if w.profile, err = filepath.Abs(w.profile); err == nil {
			err = os.MkdirAll(w.profile, 0o755)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, s := range []spec{w.tree, w.boot} {
		if err := w.makeTree(ctx, s); err != nil {
			return nil, err
		}
	}
	if err := os.Mkdir(w.path("definitions"), 0o755); err != nil {
		return nil, err
	}
	// Dirty pages of the trees would be written in the time of the first runs.
	flush()
	s, err := w.time(exec.CommandContext(ctx, "true"))
	w.least = s.peak
	return w, err
}

// makeTree makes a tree in another process: what this one needs counts as that of
// the contenders.
func (w *work) makeTree(ctx context.Context, s spec) error {
	cmd := exec.CommandContext(ctx, w.self, append([]string{childArg, "tree"}, s.args()...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("making %s: %w: %s", s.dir, err, out)
	}
	if note := strings.TrimSpace(string(out)); note != "" {
		w.notes = append(w.notes, note)
	}
	return nil
}

// makeOwnTree makes the tree of a contender that has one, before its first run.
func (w *work) makeOwnTree(ctx context.Context, c *contender, round int) error {
	if c.tree.files == 0 || round > 0 {
		return nil
	}
	err := w.makeTree(ctx, c.tree)
	flush()
	return err
}

// imageSize returns the size of an image that holds the tree with some room.
func (w *work) imageSize() int64 {
	// A file takes a block more than it has bytes, at worst, and an inode.
	need := w.tree.size + int64(w.tree.files)*(4096+512)
	if w.sparse > 0 {
		need += w.sparse // so that the volume is as large, too
	}
	return (need + need/10 + 64*mib) / mib * mib
}

// inodes returns how many inodes the image has to have.
func (w *work) inodes() int64 {
	return max(w.imageSize()/16384, int64(w.tree.files)*5/4)
}

// The full disk: an EFI system partition at 1 MiB and a root partition behind it.
const (
	espStart  = mib
	rootStart = espStart + bootRoom
)

func (w *work) diskSize() int64 { return rootStart + w.imageSize() + mib }

// env returns what a contender is told, in variables that scripts can use.
func (w *work) env(out string) []string {
	set := []string{
		"TREE=" + w.tree.dir, "BOOT=" + w.boot.dir, "OUT=" + out,
		// Of its own, and not there yet.
		"SCRATCH=" + w.path("scratch-"+strconv.Itoa(w.runs)),
		"SOURCE_DATE_EPOCH=1700000000",
		"MTOOLS_SKIP_CHECK=1", "PROFILE=" + w.profile,
		"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin",
	}
	for name, n := range map[string]int64{
		"SIZE": w.imageSize(), "INODES": w.inodes(), "BOOTSIZE": bootRoom,
		"DISKSIZE": w.diskSize(), "ESPSTART": espStart, "ROOTSTART": rootStart,
	} {
		set = append(set, name+"="+strconv.FormatInt(n, 10))
	}
	return append(os.Environ(), set...)
}

// envOf returns what a contender is told that may have a tree of its own.
func (w *work) envOf(c *contender, out string) []string {
	env := w.env(out)
	if c.tree.files > 0 {
		env = append(env, "TREE="+c.tree.dir)
	}
	return env
}

// output returns the name of the file that the next run is to make.
func (w *work) output() string {
	w.runs++
	return w.path("out-" + strconv.Itoa(w.runs))
}

// path returns the path of a file in the working directory.
func (w *work) path(name string) string { return filepath.Join(w.dir, name) }

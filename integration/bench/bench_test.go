package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
)

// TestMain is this program's own contender, where it is started as such.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childArg {
		if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	fixture.Main(m)
}

// TestRun is no benchmark: it shows that the program works.
func TestRun(t *testing.T) {
	fixture.RequireTool(t, "e2fsck", "fsck.fat", "fsck.erofs", "xorriso", "unsquashfs", "veritysetup")
	dir := t.TempDir()
	var out, progress bytes.Buffer
	err := run(t.Context(), []string{
		"-dir", dir, "-size", "1MiB", "-files", "100", "-sparse", "100GiB", "-rounds", "1",
		"-only", "/(floor|drivebay)", "-profile", filepath.Join(dir, "profiles"),
	}, &out, &progress)
	require.NoError(t, err, "%s", &out)
	for _, want := range []string{"tree of 1MiB in 100 files and a sparse one of 100GiB", "e2fsck: good  drivebay", "fsck.fat: good  drivebay", "fsck.erofs: good  drivebay", "xorriso: good  drivebay", "unsquashfs: good  drivebay", "veritysetup: good  drivebay", "floor\n"} {
		require.Contains(t, out.String(), want)
	}
	require.NotContains(t, out.String(), "left out")
	require.Contains(t, progress.String(), "disk/drivebay, round 1 of 1")
	left, err := fs.Glob(os.DirFS(dir), "*")
	require.NoError(t, err)
	require.Equal(t, []string{"profiles"}, left)
	profiles, err := fs.Glob(os.DirFS(dir), "profiles/*")
	require.NoError(t, err)
	require.Len(t, profiles, 9*2*2) // groups, runs, kinds
}

func TestMissingAndFailingContendersAreNamed(t *testing.T) {
	w := &work{rounds: 2, dir: t.TempDir()}
	g := &group{name: "g", title: "a title", peer: "peer", entries: []*contender{
		{name: floor, samples: nil, script: `: > "$OUT"`},
		{name: "missing", tools: []string{"no-such-tool"}},
		{name: "failing", script: "echo first; echo second; echo third; exit 3"},
		{name: "not asked for", script: "exit 1"},
	}}
	only, err := (&config{only: "floor|missing|failing"}).regexp()
	require.NoError(t, err)
	require.NoError(t, g.measure(t.Context(), w, only, &bytes.Buffer{}))
	require.Len(t, g.entries[0].samples, 2)
	var out bytes.Buffer
	g.print(&out, w)
	require.Contains(t, out.String(), "left out: missing: not installed: no-such-tool\n")
	require.Contains(t, out.String(), "left out: failing: exit status 3: second; third\n")
	require.NotContains(t, out.String(), "not asked for")
}

func TestTreeIsDeterministic(t *testing.T) {
	var sums [2]string
	for i := range sums {
		s := spec{dir: filepath.Join(t.TempDir(), "tree"), size: mib, files: 60, sparse: mib, mixed: true}
		if err := makeTree(s); err != nil {
			require.ErrorIs(t, err, errLeftOut)
		}
		sum, size, files := sha256.New(), int64(0), 0
		require.NoError(t, filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			fmt.Fprintln(sum, name[len(s.dir):], d.Type())
			if !d.Type().IsRegular() {
				return nil
			}
			b, err := os.ReadFile(name)
			if filepath.Ext(name) == ".bin" {
				size += int64(len(b))
				files++
			}
			sum.Write(b)
			return err
		}))
		require.Equal(t, int64(mib), size)
		require.Equal(t, 60, files)
		sums[i] = hex.EncodeToString(sum.Sum(nil))
	}
	require.Equal(t, sums[0], sums[1])
}

func TestBytesFlag(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "1": 1, "512MiB": 512 << 20, "3KiB": 3 << 10, "2GiB": 2 << 30, "1TiB": 1 << 40} {
		var b bytesFlag
		require.NoError(t, b.Set(s))
		require.Equal(t, want, int64(b))
		require.Equal(t, s, b.String())
	}
	for _, s := range []string{"", "x", "-1", "1.5GiB", "MiB", "9999999999TiB"} {
		var b bytesFlag
		require.Error(t, b.Set(s), s)
	}
}

func TestMedian(t *testing.T) {
	c := &contender{}
	require.Zero(t, c.median(wall))
	for _, d := range []time.Duration{9, 1, 5, 100} {
		c.samples = append(c.samples, sample{wall: d})
	}
	require.Equal(t, time.Duration(7), c.median(wall))
	require.Equal(t, time.Duration(1), c.best())
	require.Equal(t, "-", ratio(1, 0))
	require.Equal(t, "2.50", ratio(5, 2))
}

func TestFlags(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"-rounds", "0"}, "0 rounds"},
		{[]string{"-only", "("}, "-only: "},
		{[]string{"tree"}, `argument "tree": want flags only`},
		{[]string{"-size", "big"}, "want a number of bytes"},
	} {
		require.ErrorContains(t, run(t.Context(), tc.args, &bytes.Buffer{}, &bytes.Buffer{}), tc.want)
	}
	require.NoError(t, run(t.Context(), []string{"-h"}, &bytes.Buffer{}, &bytes.Buffer{}))
}

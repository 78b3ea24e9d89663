package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
)

// TestProgressLive wants one line that changes, below those of the steps, and none
// of it to be left.
func TestProgressLive(t *testing.T) {
	var w bytes.Buffer
	p := newProgress(&w, modeLive, nil)
	clock := time.Unix(0, 0)
	p.now = func() time.Time { return clock }
	p.start = clock

	l := image.Layout{Partitions: []image.Partition{{Name: "a", Size: image.MiB}, {Size: image.MiB}}}
	plan, err := l.Plan(t.Context())
	require.NoError(t, err)
	p.step("reading the sources of disk.yaml")
	p.plan(plan)
	const mib = 1 << 20
	for _, step := range []struct {
		after  time.Duration
		region string
		done   int64
	}{
		{time.Second, "partition 1 (a)", 10 * mib},
		{10 * time.Millisecond, "partition 1 (a)", 11 * mib}, // too soon
		{990 * time.Millisecond, "partition 1 (a)", 50 * mib},
		{2 * time.Second, "partition 2", 100 * mib},
	} {
		clock = clock.Add(step.after)
		p.update(image.Progress{Region: step.region, Done: step.done, Total: 200 * mib})
	}
	clock = clock.Add(time.Second)
	p.done("disk.img", plan.Size, 200*mib)
	p.close()
	const erase = "\r\x1b[K"
	require.Equal(t, "reading the sources of disk.yaml\n"+
		"writing partition 1 (a): empty, 1 MiB\n"+
		erase+"    10 MiB of 200 MiB    5%  10 MiB/s  19s left"+
		erase+"    50 MiB of 200 MiB   25%  25 MiB/s  6s left"+
		erase+"writing partition 2: empty, 1 MiB\n"+
		erase+"   100 MiB of 200 MiB   50%  25 MiB/s  4s left"+
		erase+"disk.img: disk of 4 MiB, 200 MiB written, in 5.0 s\n", w.String())
}

// TestProgressLiveInterrupted wants the live line to be gone when an error comes.
func TestProgressLiveInterrupted(t *testing.T) {
	var w bytes.Buffer
	p := newProgress(&w, modeLive, nil)
	p.update(image.Progress{Region: "partition 1", Done: 1, Total: 2})
	p.close()
	p.close()
	require.Regexp(t, `left\r\x1b\[K$`, w.String())
}

func TestIsTerminal(t *testing.T) {
	for _, name := range []string{os.DevNull, os.Args[0]} {
		f, err := os.Open(name)
		require.NoError(t, err)
		defer f.Close()
		require.False(t, isTerminal(f), name)
	}
	require.False(t, isTerminal(&bytes.Buffer{}))
}

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1 << 40: "1 TiB", 3 << 59: "1536 PiB",
	} {
		require.Equal(t, want, formatBytes(n))
	}
}

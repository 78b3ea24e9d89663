package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/drivebay/drivebay/image"
)

// mode is how progress is told.
type mode int

const (
	modeQuiet mode = iota
	modeLines      // a line for each step
	modeLive       // the same, and one that changes below
	modeJSON       // an object a line
)

// interval is the time between two reports of progress: often enough to look
// alive, seldom enough to cost nothing.
const interval = 100 * time.Millisecond

// progress tells how far a build has come.
type progress struct {
	w     io.Writer
	mode  mode
	now   func() time.Time
	start time.Time

	mu     sync.Mutex
	parts  map[string]string // what is said of each region, by name
	region string
	began  time.Time // of the writing
	told   time.Time // of the last report
	live   bool      // there is a live line
	err    error     // of telling machines
	failed func(error)
}

// newProgress returns a progress that calls failed once, with the error, when a
// line for machines cannot be written.
func newProgress(w io.Writer, m mode, failed func(error)) *progress {
	p := &progress{w: w, mode: m, now: time.Now, failed: failed}
	p.start = p.now()
	return p
}

// event is a line for machines.
type event struct {
	Event   string      `json:"event"`
	Plan    *image.Plan `json:"plan,omitempty"`
	Region  string      `json:"region,omitempty"`
	Done    *int64      `json:"done,omitempty"`
	Total   *int64      `json:"total,omitempty"`
	Output  string      `json:"output,omitempty"`
	Size    int64       `json:"size,omitempty"`
	Written *int64      `json:"written,omitempty"`
	Seconds float64     `json:"seconds,omitempty"`

	Partition int    `json:"partition,omitempty"`
	Data      int    `json:"data,omitempty"`
	RootHash  string `json:"roothash,omitempty"`
}

// step tells what is done next.
func (p *progress) step(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line(text)
}

// plan tells what will be written.
func (p *progress) plan(plan *image.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.event(event{Event: "plan", Plan: plan})
	p.parts = map[string]string{}
	for _, part := range plan.Partitions {
		name := fmt.Sprintf("partition %d", part.Number)
		if part.Name != "" {
			name += fmt.Sprintf(" (%s)", part.Name)
		}
		format := part.Volume.Format
		if format == "" {
			format = "empty"
		}
		p.parts[name] = fmt.Sprintf(": %s, %s", format, formatBytes(part.Size))
		for _, d := range part.Volume.Dropped {
			p.line(name + " leaves out " + d)
		}
		if v := part.Volume.Varies; v != "" {
			p.line(name + " is not the same each time: " + v)
		}
	}
	p.began = p.now()
}

// update is called while the image is written.
func (p *progress) update(now image.Progress) {
	if p.mode == modeQuiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.now()
	if now.Region != p.region {
		p.region = now.Region
		p.line("writing " + now.Region + p.parts[now.Region])
	} else if t.Sub(p.told) < interval {
		return
	}
	p.told = t
	p.event(event{Event: "progress", Region: now.Region, Done: &now.Done, Total: &now.Total})
	if p.mode == modeLive {
		fmt.Fprintf(p.w, "\r\x1b[K%s", status(now, t.Sub(p.began)))
		p.live = true
	}
}

// status returns the live line: bytes, share, rate, time left.
func status(now image.Progress, since time.Duration) string {
	s := fmt.Sprintf("%10s of %s", formatBytes(now.Done), formatBytes(now.Total))
	if now.Total > 0 {
		s += fmt.Sprintf("  %3d%%", int(float64(now.Done)/float64(now.Total)*100))
	}
	if seconds := since.Seconds(); seconds > 0 && now.Done > 0 {
		rate := float64(now.Done) / seconds
		left := time.Duration(float64(now.Total-now.Done) / rate * float64(time.Second))
		s += fmt.Sprintf("  %s/s  %s left", formatBytes(int64(rate)), left.Round(time.Second))
	}
	return s
}

// rootHash tells what a hash tree has come to, as the kernel's command line has it.
func (p *progress) rootHash(h image.RootHash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.event(event{Event: "roothash", Partition: h.Partition, Data: h.Data, RootHash: h.Hash.String()})
	p.line(fmt.Sprintf("partition %d is the hash tree of partition %d: roothash=%s", h.Partition, h.Data, h.Hash))
}

// done tells what has come of it. It returns the error of telling so.
func (p *progress) done(output string, size, written int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	took := p.now().Sub(p.start)
	p.event(event{Event: "done", Output: output, Size: size, Written: &written, Seconds: took.Seconds()})
	if output == "-" {
		output = "standard output"
	}
	p.line(fmt.Sprintf("%s: disk of %s, %s written, in %.1f s", output, formatBytes(size), formatBytes(written), took.Seconds()))
	return p.err
}

// close leaves no live line behind.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func (p *progress) clear() {
	if p.live {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.live = false
	}
}

// line prints a line for people.
func (p *progress) line(text string) {
	if p.mode == modeLines || p.mode == modeLive {
		p.clear()
		fmt.Fprintln(p.w, text)
	}
}

// event prints a line for machines, unless one could not be printed before. Who
// reads them takes their absence for something else than it is.
func (p *progress) event(e event) {
	if p.mode != modeJSON || p.err != nil {
		return
	}
	if err := json.NewEncoder(p.w).Encode(e); err != nil {
		p.err = fmt.Errorf("write the progress: %w", err)
		p.failed(p.err)
	}
}

// isTerminal reports whether w is a terminal on which a line can be overwritten.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("TERM") != "dumb" && isTTY(f)
}

// formatBytes returns a number of bytes in the largest binary unit below it.
func formatBytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	f, u := float64(n), 0
	for f >= 1024 && u+1 < len(units) {
		f, u = f/1024, u+1
	}
	if u == 0 || f == float64(int64(f)) {
		return fmt.Sprintf("%d %s", int64(f), units[u])
	}
	return fmt.Sprintf("%.1f %s", f, units[u])
}

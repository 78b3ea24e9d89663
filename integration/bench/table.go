package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// print prints the results of a group: medians, and ratios of them.
func (g *group) print(out io.Writer, w *work) {
	if len(g.entries) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s: %s\n", g.name, g.title)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "median s\tx floor\tx peer\tbest s\tx floor\tx peer\tCPU s\tpeak MiB\timage MiB\tjudge\t  contender\n")
	least, peer := g.find(floor), g.find(g.peer)
	for _, c := range g.entries {
		if len(c.samples) == 0 {
			continue
		}
		m, best := c.median(wall), c.best()
		fmt.Fprintf(t, "%.3f\t%s\t%s\t%.3f\t%s\t%s\t%.3f\t%s\t%d\t%s\t  %s\n",
			m.Seconds(), ratio(m, least.median(wall)), ratio(peer.median(wall), m),
			best.Seconds(), ratio(best, least.best()), ratio(peer.best(), best),
			c.median(cpu).Seconds(), c.peak(w), c.size/mib, c.verdict, c.label())
	}
	_ = t.Flush()
	for _, c := range g.entries {
		if c.failure != nil {
			fmt.Fprintf(out, "  left out: %s: %v\n", c.name, c.failure)
		}
	}
}

// label returns the name, and how often the contender was run where that is not as
// often as the others.
func (c *contender) label() string {
	if c.once && c.tree.files > 0 {
		each := c.median(wall) / time.Duration(c.tree.files)
		return fmt.Sprintf("%s (%.1f µs each; one run)", c.name, float64(each)/1e3)
	}
	if c.once {
		return c.name + " (one run, no warm-up)"
	}
	return c.name
}

// find returns the contender with a name, or one without samples.
func (g *group) find(name string) *contender {
	for _, c := range g.entries {
		if c.name == name {
			return c
		}
	}
	return &contender{}
}

func wall(s sample) time.Duration { return s.wall }

func cpu(s sample) time.Duration { return s.cpu }

// median returns the median of one of the times of all runs, 0 where there were
// none.
func (c *contender) median(of func(sample) time.Duration) time.Duration {
	if len(c.samples) == 0 {
		return 0
	}
	all := make([]time.Duration, len(c.samples))
	for i, s := range c.samples {
		all[i] = of(s)
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// best returns the shortest wall time. On a machine that is busy with other
// things it is the better measure.
func (c *contender) best() time.Duration {
	if len(c.samples) == 0 {
		return 0
	}
	return slices.MinFunc(c.samples, func(a, b sample) int { return cmp.Compare(a.wall, b.wall) }).wall
}

// peak returns the largest resident set, or the bound below which it cannot be
// told.
func (c *contender) peak(w *work) string {
	p := slices.MaxFunc(c.samples, func(a, b sample) int { return cmp.Compare(a.peak, b.peak) }).peak
	switch {
	case p == 0:
		return "?"
	case p <= w.least+mib/2:
		return fmt.Sprintf("<%d", (w.least+mib)/mib)
	}
	return fmt.Sprintf("%d", (p+mib/2)/mib)
}

func ratio(a, b time.Duration) string {
	if a == 0 || b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", a.Seconds()/b.Seconds())
}

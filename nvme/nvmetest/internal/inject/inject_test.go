package inject

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// fault strikes commands of a name.
type fault struct {
	name         string
	after, count int
}

func TestStrike(t *testing.T) {
	for name, tc := range map[string]struct {
		faults []fault
		want   string // the fault that strikes each command "a": 0 or 1; "-" none
	}{
		"no fault":           {nil, "---"},
		"for ever":           {[]fault{{"a", 0, 0}}, "000"},
		"another's":          {[]fault{{"b", 0, 0}}, "---"},
		"count":              {[]fault{{"a", 0, 2}}, "00-"},
		"after":              {[]fault{{"a", 2, 0}}, "--0"},
		"after and count":    {[]fault{{"a", 1, 1}}, "-0-"},
		"the first":          {[]fault{{"a", 0, 0}, {"a", 0, 0}}, "000"},
		"the next in turn":   {[]fault{{"a", 0, 1}, {"a", 0, 1}}, "01-"},
		"both count passers": {[]fault{{"a", 1, 1}, {"a", 2, 1}}, "-0-1"},
	} {
		t.Run(name, func(t *testing.T) {
			var l List[fault]
			var active []*Active[fault]
			for _, f := range tc.faults {
				active = append(active, l.Add(f))
			}
			got := ""
			for range tc.want {
				struck := l.Strike(func(f *fault) (bool, int, int) { return f.name == "a", f.after, f.count })
				mark := "-"
				for i, a := range active {
					if a == struck {
						mark = string(rune('0' + i))
					}
				}
				got += mark
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestRemove(t *testing.T) {
	var l List[fault]
	always := func(*fault) (bool, int, int) { return true, 0, 0 }
	a, b := l.Add(fault{}), l.Add(fault{})
	require.Same(t, a, l.Strike(always))
	l.Remove(a)
	l.Remove(a)
	require.Same(t, b, l.Strike(always))
	require.Equal(t, []int{1, 1}, []int{a.Struck, b.Struck})
	l.Remove(b)
	require.Nil(t, l.Strike(always))
}

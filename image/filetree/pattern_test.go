package filetree

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPatternMatches(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		yes, no string // paths, with "/" at the end of directories
	}{
		{"*.bak", "a.bak d/a.bak .bak d.bak/", "a.bak2 a.bak/b"},
		{"a", "a d/a a/", "b a/b ab"},
		{"a/", "a/ d/a/", "a d/a"},
		{"/a", "a a/", "d/a"},
		{"/a/", "a/", "a d/a/"},
		{"a/b", "a/b a/b/", "d/a/b a/b/c a b"},
		{"a/*", "a/b a/c/", "a a/b/c"},
		{"a/?[0-9]", "a/x1", "a/1 a/x1y"},
		{"**", "a a/b", ""},
		{"a/**", "a/b a/b/c a/b/c/d/", "a b/a/c"},
		{"**/b", "b a/b a/c/b", "a b/a"},
		{"a/**/b", "a/b a/x/b a/x/y/b a/b/b", "b a/x a/b/c x/a/b"},
		{"**/a/**/b/**/c", "a/b/c x/a/y/b/z/c a/b/a/b/c a/a/b/b/c/c", "a/c/b a/b/c/d"},
		{"**/a/*/**", "a/b/c x/a/b/c/d", "a x/a a/b"},
		{"\\*", "* a/*", "a"},
	} {
		p, err := parsePattern(tt.pattern)
		require.NoError(t, err)
		for want, paths := range map[bool]string{true: tt.yes, false: tt.no} {
			for path := range strings.FieldsSeq(paths) {
				path, isDir := strings.CutSuffix(path, "/")
				require.Equal(t, want, p.matches(strings.Split(path, "/"), isDir), "%s and %s", tt.pattern, path)
			}
		}
	}
}

// TestPatternMatchesInPolynomialTime would not end with plain recursion.
func TestPatternMatchesInPolynomialTime(t *testing.T) {
	p, err := parsePattern(strings.Repeat("**/a/", 30) + "b")
	require.NoError(t, err)
	require.False(t, p.matches(strings.Split(strings.Repeat("a/", 1000)+"c", "/"), false))
}

func FuzzPattern(f *testing.F) {
	f.Add("a/**/b*", "a/x/bc")
	f.Fuzz(func(t *testing.T, text, path string) {
		p, err := parsePattern(text)
		if err != nil || checkPath(path) != nil || len(path) > 1000 {
			return
		}
		names := strings.Split(path, "/")
		if got, want := p.matches(names, true), matchSlowly(&p, names); got != want && strings.Count(text, "**") < 4 {
			t.Errorf("%q matches %q: %v, want %v", text, path, got, want)
		}
	})
}

// matchSlowly is the definition.
func matchSlowly(p *pattern, names []string) bool {
	if !p.anchored {
		return p.names[0] == "**" || matchName(p.names[0], names[len(names)-1])
	}
	var match func(pat, names []string) bool
	match = func(pat, names []string) bool {
		switch {
		case len(pat) == 0:
			return len(names) == 0
		case pat[0] == "**" && len(pat) == 1:
			return len(names) > 0
		case pat[0] == "**":
			return match(pat[1:], names) || len(names) > 0 && match(pat, names[1:])
		}
		return len(names) > 0 && matchName(pat[0], names[0]) && match(pat[1:], names[1:])
	}
	return match(p.names, names)
}

package filetree

import (
	"fmt"
	"path"
	"strings"
)

// pattern is a pattern of paths, in the form that [Layer] documents.
type pattern struct {
	names    []string // of the path; "**" is any number of names
	anchored bool     // to the root: else the one name may be anywhere
	dirOnly  bool
	negated  bool
}

// parsePattern checks a pattern and takes it apart.
func parsePattern(text string) (pattern, error) {
	var p pattern
	fail := func(why string) (pattern, error) {
		return p, fmt.Errorf("pattern %q: %w: %s", text, path.ErrBadPattern, why)
	}
	rest, negated := strings.CutPrefix(text, "!")
	rest, p.dirOnly = strings.CutSuffix(rest, "/")
	p.negated = negated
	p.anchored = strings.Contains(rest, "/")
	p.names = strings.Split(strings.TrimPrefix(rest, "/"), "/")
	for _, name := range p.names {
		if name == "" || name == "." || name == ".." {
			return fail(fmt.Sprintf("it has the name %q", name))
		}
		if strings.Contains(name, "**") && name != "**" {
			return fail("** stands for whole names only")
		}
		if _, err := path.Match(name, ""); err != nil {
			return fail("it is malformed")
		}
	}
	return p, nil
}

// matches reports whether the file with the names on the way to it matches.
func (p *pattern) matches(names []string, isDir bool) bool {
	if p.dirOnly && !isDir {
		return false
	}
	if !p.anchored {
		return p.names[0] == "**" || matchName(p.names[0], names[len(names)-1])
	}
	// As with the asterisks of a name, only the last ** ever has to be tried
	// again with more.
	pat, star, starAt := p.names, -1, 0
	at, k := 0, 0
	for at < len(names) {
		switch {
		case k < len(pat) && pat[k] == "**":
			star, starAt = k, at
			k++
		case k < len(pat) && matchName(pat[k], names[at]):
			at++
			k++
		case star >= 0:
			starAt++
			at, k = starAt, star+1
		default:
			return false
		}
	}
	// "a/**" is what is in a, not a itself.
	return k == len(pat)
}

// matchName matches a name with a pattern that has been checked.
func matchName(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok
}

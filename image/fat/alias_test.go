package fat

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

// aliases returns the alias of each name in a directory, with "+" behind it
// where the name has entries of its own, and "s" or "e" where stem or extension
// are in lower case.
func aliases(t testing.TB, names ...string) map[string]string {
	t.Helper()
	tr := filetree.New()
	for _, name := range names {
		_, err := tr.Add(name, filetree.File(nil, 0o644))
		require.NoError(t, err)
	}
	tr.Sort()
	c, err := scan(tr, false, false)
	require.NoError(t, err)
	got := map[string]string{}
	for n := range tr.Root().Children() {
		s := c.slots[n.ID()]
		alias := strings.TrimRight(string(s.alias[:8]), " ")
		if ext := strings.TrimRight(string(s.alias[8:]), " "); ext != "" {
			alias += "." + ext
		}
		for _, f := range []struct {
			flag byte
			mark string
		}{{long, "+"}, {lowerStem, "s"}, {lowerExt, "e"}} {
			if s.flags&f.flag != 0 {
				alias += f.mark
			}
		}
		got[n.Name()] = alias
	}
	return got
}

func TestAliases(t *testing.T) {
	for _, want := range []map[string]string{
		{"README": "README", "readme.txt": "README.TXTse", "a.TXT": "A.TXTs", "B.txt": "B.TXTe", "12.34": "12.34"},
		{"Readme": "README+", "foo.Txt": "FOO.TXT+", "fooBar.c": "FOOBAR.C+"}, // 8.3 but for the case: no number
		{"eight888.333": "EIGHT888.333s", "eight8888.33": "EIGHT8~1.33+", "e.3333": "E~1.333+"},
		{".bashrc": "BASHRC~1+", ".a.b": "A~1.B+", "a.b.c": "AB~1.C+", "a..b": "A~2.B+", "..a": "A~1+"},
		{"a b": "AB~1+", " a": "A~1+", "Program Data": "PROGRA~1+", "Program Files": "PROGRA~2+"},
		{"a+b,c;d=e[f]": "A_B_C_~1+", "é": "_~1+", "日本語.テキスト": "___~1.___+", "naïve.txt": "NA_VE~1.TXT+"},
		{"!#$%&'()": "!#$%&'()", "-@^_`{}~.~": "-@^_`{}~.~"},
		{ // the fifth gets a hash, and a number that is free
			"long name 1": "LONGNA~1+", "long name 2": "LONGNA~2+", "long name 3": "LONGNA~3+",
			"long name 4": "LONGNA~4+", "long name 5": "LO56D3~1+", "long name 6": "LO488A~1+",
		},
		{"longna~1": "LONGNA~1s", "LONGNA~2": "LONGNA~2", "long name": "LONGNA~3+"},
		{"x.tar.gz": "XTAR~1.GZ+", "x": "Xs", "a": "As"},
	} {
		var names []string
		for name := range want {
			names = append(names, name)
		}
		require.Equal(t, want, aliases(t, names...))
	}
}

// Thousands of names that begin alike get short names that differ.
func TestAliasesMany(t *testing.T) {
	var names []string
	for i := range 20000 {
		names = append(names, fmt.Sprintf("the same beginning %d", i))
	}
	got, seen := aliases(t, names...), map[string]bool{}
	for _, alias := range got {
		require.False(t, seen[alias], alias)
		seen[alias] = true
	}
}

// Names made to have one hash take the numbers one after the other.
func TestNumberedBeyondNine(t *testing.T) {
	m := newNamer(nil)
	m.tails = map[[11]byte]int{}
	base := [11]byte([]byte("AB1234  TXT"))
	for i := 1; i <= 12345; i++ {
		a, ok := m.numbered(base, 6, 1<<20)
		require.True(t, ok)
		want := fmt.Sprintf("AB1234%d", i)[:6]
		tail := fmt.Sprintf("~%d", i)
		require.Equal(t, want[:min(6, 8-len(tail))]+tail+"TXT", string(a[:]))
	}
}

func TestCheckName(t *testing.T) {
	for _, tc := range []struct {
		name, want string
	}{
		{"a:b", `contains ':'`},
		{`a\b`, `contains '\\'`},
		{"a?", `contains '?'`},
		{"a*", `contains '*'`},
		{`"a"`, `contains '"'`},
		{"a<b", `contains '<'`},
		{"a>b", `contains '>'`},
		{"a|b", `contains '|'`},
		{"a\nb", `contains '\n'`},
		{"a\uffff", "U+FFFF"},
		{"a\xffb", `byte 0xff at 1 of "a\xffb" is not UTF-8`},
		{"caf\xe9", "is not UTF-8"},
		{"a.", `ends with '.'`},
		{"a ", `ends with ' '`},
		{"...", `ends with '.'`},
		{strings.Repeat("é", 127) + "ab", ""},
		{strings.Repeat("x", 255), ""},
		{"\ufffd", ""},
	} {
		units, err := checkName(tc.name)
		if tc.want != "" {
			require.ErrorIs(t, err, ErrName)
			require.ErrorContains(t, err, tc.want)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, len(utf16.Encode([]rune(tc.name))), units)
	}
	// No name of a tree is this long, since its 255 bytes are fewer.
	_, err := checkName(strings.Repeat("x", 256))
	require.ErrorIs(t, err, ErrName)
}

// Whatever the names of a directory, the aliases are legal and differ, and the
// names come back from the entries.
func FuzzNames(f *testing.F) {
	f.Add("a.txt\nA b.txt\n.x\nfoo~1\nfoo bar\nÀ\nà la carte.config")
	f.Add("1234567890\n12345678901\n123456~1\n+\n[\n😀😀😀😀😀😀😀")
	f.Fuzz(func(t *testing.T, list string) {
		tr := filetree.New()
		for name := range strings.SplitSeq(list, "\n") {
			if _, err := checkName(name + "x"); err == nil && !strings.Contains(name, "/") {
				_, _ = tr.Add(name, filetree.File(nil, 0o644))
			}
		}
		tr.Sort()
		c, err := scan(tr, true, false)
		if err != nil {
			return
		}
		seen := map[[11]byte]string{}
		for n := range tr.Root().Children() {
			s := c.slots[n.ID()]
			require.Empty(t, seen[s.alias], "%q and %q are both %q", n.Name(), seen[s.alias], s.alias)
			seen[s.alias] = n.Name()
			checkAlias(t, s.alias)
			if s.flags&long == 0 {
				require.Equal(t, n.Name(), shortText(s))
				continue
			}
			b := appendLong(nil, n.Name(), s.alias)
			require.Zero(t, len(b)%entrySize)
			require.Equal(t, n.Name(), longText(b))
		}
	})
}

// checkAlias holds an alias against fatgen103's rules for DIR_Name.
func checkAlias(t *testing.T, alias [11]byte) {
	t.Helper()
	stem, ext := bytes.TrimRight(alias[:8], " "), bytes.TrimRight(alias[8:], " ")
	require.NotEmpty(t, stem, "%q", alias)
	for _, c := range append(stem, ext...) {
		require.True(t, c > ' ' && c < 0x7f && !strings.ContainsRune(`"*+,./:;<=>?[\]|`, rune(c)) && (c < 'a' || c > 'z'), "%q", alias)
	}
}

// shortText reads an 8.3 name as a driver does.
func shortText(s slot) string {
	stem, ext := strings.TrimRight(string(s.alias[:8]), " "), strings.TrimRight(string(s.alias[8:]), " ")
	if s.flags&lowerStem != 0 {
		stem = strings.ToLower(stem)
	}
	if s.flags&lowerExt != 0 {
		ext = strings.ToLower(ext)
	}
	if ext != "" {
		ext = "." + ext
	}
	return stem + ext
}

// longText reads the entries of a long name as a driver does.
func longText(b []byte) string {
	var units []uint16
	for ; len(b) > 0; b = b[:len(b)-entrySize] {
		e := b[len(b)-entrySize:]
		for _, r := range [][2]int{{1, 11}, {14, 26}, {28, 32}} {
			for i := r[0]; i < r[1]; i += 2 {
				u := uint16(e[i]) | uint16(e[i+1])<<8
				if u == 0 {
					return string(utf16.Decode(units))
				}
				units = append(units, u)
			}
		}
	}
	return string(utf16.Decode(units))
}

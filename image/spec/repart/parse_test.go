package repart

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseUnit(t *testing.T) {
	const text = "# comment\n\n[Partition]\n Type = root \nLabel=a\\\n#b\n;c\n  d \\\\\nLabel=\n[X-Other]\nkey=1\n[Partition]\nX-Key=1\nFlags=a=b # no comment\n"
	got, err := parseUnit("f", text)
	require.NoError(t, err)
	require.Equal(t, []setting{
		{Place{"f", 4}, "Type", "root"},
		{Place{"f", 5}, "Label", `a   d \\`},
		{Place{"f", 9}, "Label", ""},
		{Place{"f", 14}, "Flags", "a=b # no comment"},
	}, got)

	for text, want := range map[string]string{
		"Type=root\n":                                     "f:1: a setting before the first section: want [Partition] before it",
		"garbage\n[Partition]\n":                          "f:1: not a unit file: unexpected newline encountered while parsing option name",
		"\n[Partition]\nType\n":                           "f:3: not a unit file: unexpected newline encountered while parsing option name",
		"[Partition\nType=root\n":                         "f:1: not a unit file: unable to find end of section",
		"[Partition] x\n":                                 "f:1: not a unit file: found garbage after section name",
		"[Partition]\n[Service]\n":                        "f:2: section [Service]: want [Partition]",
		"[Partition]\na=\x00\n":                           "f:2: not a unit file: it has a NUL",
		"[Partition]\nLabel=" + strings.Repeat("x", 3000): "f:2: line too long (max 2048 bytes): want several settings, which add up",
	} {
		_, err := parseUnit("f", text)
		require.ErrorContains(t, err, want, "%q", text)
	}
}

func FuzzParseUnit(f *testing.F) {
	f.Add("[Partition]\nType=root\nLabel=%a\\\n b\nCopyFiles=/a:/b\nFlags=0x1\nSizeMinBytes=1.5G\n")
	f.Add("\ufeff[Partition]\r\nMakeDirectories=\"/a b\" /c\\ d\nMakeSymlinks=/a:b\nUUID=null\n[X-]\n=\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseUnit("f", text)
		if err != nil {
			return
		}
		for i, s := range list {
			if s.Line < 1 || s.Line > strings.Count(text, "\n")+1 || i > 0 && s.Line <= list[i-1].Line {
				t.Fatalf("setting %v of line %d", s, s.Line)
			}
		}
		r := reader{newDefinition("f"), &specifiers{root: t.TempDir()}}
		if errs := r.read(list); errs == nil {
			_ = r.d.check()
		}
	})
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "512": 512, "4096B": 4096, "1K": 1024, "1.5G": 3 << 29, "10 M": 10 << 20, "1.3K": 1331, "7E": 7 << 60, "2T": 2 << 40, "007": 7,
		"": -1, "M": -1, "-1": -1, "1X": -1, "1KiB": -1, "1e3": -1, "8E": -1, "1..2": -1, ".5K": -1, "1 2K": -1, "0x10": -1, "1/2": -1,
	} {
		got, err := parseSize(text)
		if want < 0 {
			require.Error(t, err, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestSplitWords(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, " a  b\tc ": {"a", "b", "c"}, `"a b" 'c "d'`: {"a b", `c "d`}, `a\ b`: {"a b"}, `""`: {""}, `a"b c"d`: {"ab cd"},
	} {
		got, err := splitWords(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{`"a`, `a\`, `'`} {
		_, err := splitWords(text)
		require.Error(t, err, text)
	}
}

func TestUnescape(t *testing.T) {
	for text, want := range map[string]string{
		`a`: "a", `a\sb`: "a b", `\x41\101\u0042\U0001F4BE`: "AAB💾", `\\\n`: "\\\n",
	} {
		got, err := unescape(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{`\`, `\q`, `\x`, `\x0`, `\x00`, `\9`, `\u12`, `\ud800`, `\U00110000`, `\777`} {
		_, err := unescape(text)
		require.Error(t, err, text)
	}
}

func TestSpecifiers(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "usr/lib"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(root, "etc"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "usr/lib/os-release"), []byte("# c\nID=drivebay\nVERSION_ID=\"1 0\"\nIMAGE_ID='img'\n\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/machine-id"), []byte("00112233445566778899aabbccddeeff\n"), 0o644))
	t.Setenv("TMPDIR", "/some/where")
	s := &specifiers{root: root}
	got, err := s.expand("%o-%w-%M-%A-%%-%m-%T-%V-%x", map[byte]string{'x': "mine"})
	require.NoError(t, err)
	require.Equal(t, "drivebay-1 0-img--%-00112233445566778899aabbccddeeff-/some/where-/some/where-mine", got)
	for _, text := range []string{"%", "%y", "a%", "% "} {
		_, err := s.expand(text, nil)
		require.ErrorContains(t, err, "percent sign", text)
	}
}

// TestDocumentation wants every setting to be told of, and none that there is not.
func TestDocumentation(t *testing.T) {
	b, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, text, ok := strings.Cut(string(b), "# Settings\n")
	require.True(t, ok)
	text = strings.ReplaceAll(text, "\n//     ", " ")
	var told []string
	for _, item := range regexp.MustCompile(`(?m)^//   - ([A-Za-z, ]+): `).FindAllStringSubmatch(text, -1) {
		told = append(told, strings.Split(item[1], ", ")...)
	}
	slices.Sort(told)
	var known []string
	for _, key := range reflect.ValueOf(keys).MapKeys() {
		known = append(known, key.String())
	}
	slices.Sort(known)
	require.Equal(t, known, told)
}

// TestDistribute wants every byte to be somebody's that anybody may have, and nobody
// to be outside of the bounds.
func TestDistribute(t *testing.T) {
	claims := func(list ...claim) (out []*claim, minimum int64) {
		for i := range list {
			list[i].max = max(list[i].max, list[i].min)
			out, minimum = append(out, &list[i]), minimum+list[i].min
		}
		return out, minimum
	}
	for weight := int64(0); weight <= 3; weight++ {
		for bound := int64(0); bound <= 64*grain; bound += 16 * grain {
			for span := int64(0); span <= 100*grain; span += 7 * grain {
				list, minimum := claims(claim{weight: weight, max: unlimited}, claim{weight: 1, min: bound, max: unlimited},
					claim{weight: 5, max: bound}, claim{weight: 0, min: grain, max: unlimited})
				if minimum > span {
					continue
				}
				left := distribute(list, span)
				sum := left
				for _, c := range list {
					require.True(t, c.isSettled && c.size >= c.min && c.size <= c.max && c.size%grain == 0, "%+v", c)
					sum += c.size
				}
				require.Equal(t, span, sum)
			}
		}
	}
	list, _ := claims(claim{weight: 1_000_000, max: unlimited}, claim{weight: 1_000_000, max: unlimited})
	require.Equal(t, int64(0), distribute(list, 1<<62))
	require.Equal(t, int64(1<<61), list[0].size)
}

package iso9660

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

// names returns the identifiers of a directory of files, of directories where
// they end in a slash.
func names(t testing.TB, s *scheme, list ...string) (got []string) {
	t.Helper()
	tr := filetree.New()
	for _, name := range list {
		e := filetree.File(nil, 0o644)
		if strings.HasSuffix(name, "/") {
			e = filetree.Dir(0o755)
		}
		_, err := tr.Add(strings.TrimSuffix(name, "/"), e)
		require.NoError(t, err)
	}
	tr.Sort()
	for _, m := range s.members(tr.Root(), isHeld) {
		held := " "
		if !m.held {
			held = "!"
		}
		got = append(got, held+m.id)
	}
	return got
}

func TestNames(t *testing.T) {
	long := strings.Repeat("n", 70)
	for _, tc := range []struct {
		scheme *scheme
		names  []string
		want   []string
	}{
		{&scheme83, []string{"readme", "a.b", "longername.text", "x"}, []string{" A.B", "!LONGERNA.TEX", " README", " X"}},
		{&scheme83, []string{"FOO", "Foo", "foo", "foo.c"}, []string{" FOO", " FOO.C", "!FOO_0", "!FOO_1"}},
		{&scheme83, []string{"longname1", "longname2", "longnam"}, []string{" LONGNAM", "!LONGNAME", "!LONGNA_0"}},
		{&scheme83, []string{"dir.d/", "dir_d", "averylongdir/"}, []string{"!AVERYLON", " DIR_D", "!DIR_D_0"}},
		{&scheme83, []string{".hidden", "trailing.", "two.dots.c", "é"}, []string{"!TWO_DOTS.C", "!TRAILING", "!_", "!_HIDDEN"}},
		{&scheme31, []string{strings.Repeat("s", 31), strings.Repeat("d", 31) + "/", "a." + strings.Repeat("e", 40)},
			[]string{"!A." + strings.Repeat("E", 29), " " + strings.Repeat("D", 31), "!" + strings.Repeat("S", 30)}},
		{&scheme31, []string{"a b", "a-b", "a_b"}, []string{" A_B", "!A_B_0", "!A_B_1"}},
		{&schemeJoliet, []string{"Foo", "foo", "a.b.c", "ä:ö", "x\U0001f600y", "\xff", "\ufffd", "end.", ".dot", "a..b"},
			[]string{" .dot", " a..b", " Foo", " a.b.c", "!end", " foo", "!x_y", "!ä_ö", " \ufffd", "!_"}},
		{&schemeJoliet, []string{long, long + "x", long + ".txt"},
			[]string{"!" + long[:60] + ".txt", "!" + long[:64], "!" + long[:62] + "_0"}},
	} {
		got := names(t, tc.scheme, tc.names...)
		slices.Sort(got)
		slices.Sort(tc.want)
		require.Equal(t, tc.want, got)
	}
}

// FuzzNames wants identifiers to differ and to keep to their scheme, whatever the
// names.
func FuzzNames(f *testing.F) {
	f.Add("readme.txt", "README.TXT", "\xff.\U0001f600")
	f.Add("a.b", "a_b", strings.Repeat("é", 120)+".b")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		tr := filetree.New()
		for _, name := range []string{a, b, c} {
			_, _ = tr.Add(strings.ReplaceAll(name, "/", "|"), filetree.File(nil, 0o644)) // or it is none
		}
		tr.Sort()
		for _, s := range []*scheme{&scheme83, &scheme31, &schemeJoliet} {
			seen := map[string]bool{}
			for _, m := range s.members(tr.Root(), isHeld) {
				require.False(t, seen[m.id], "%q twice", m.id)
				seen[m.id] = true
				require.NoError(t, checkID(s, m.id))
			}
		}
	})
}

// checkID says what is wrong with the identifier of a file.
func checkID(s *scheme, id string) error {
	units := utf16.Encode([]rune(id))
	if s.dotted {
		if len(units) > 64 || id == "" || strings.HasSuffix(id, ".") || strings.ContainsAny(id, `*/:;?\`) {
			return fmt.Errorf("%q of %d units", id, len(units))
		}
		return nil
	}
	stem, ext, _ := strings.Cut(id, ".")
	if len(stem) == 0 || len(stem) > s.stem || len(ext) > s.ext || len(stem)+len(ext) > s.both ||
		strings.Trim(stem+ext, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return fmt.Errorf("%q", id)
	}
	return nil
}

package spec

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReference holds the reference in doc.go against the structs that a spec is
// read into, and the table of formats.
func TestReference(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	require.NoError(t, err)
	doc := (&ast.CommentGroup{List: f.Doc.List}).Text()

	for _, tc := range []struct {
		heading string // of the part of the reference, and what ends it
		end     string
		want    []string
	}{
		{"# Keys of the disk", "#", keysOf[Spec]()},
		{"# Keys of a partition", "The bounds of a size:", keysOf[Partition]()},
		{"The bounds of a size:", "#", keysOf[bounds]()},
		{"# Keys of a content", "A boot image:", keysOf[Content]()},
		{"A boot image:", "The keys of each format:", keysOf[BootImage]()},
		{"The keys of each format:", "#", slices.Sorted(maps.Keys(formats))},
		{"# Keys of files", "An override:", keysOf[File]()},
		{"An override:", "A uki,", keysOf[Override]()},
		{"A uki, all but whose cmdline and uname are files:", "What an EFI program", keysOf[UKI]()},
		{"What an EFI program is signed with:", "#", keysOf[Sign]()},
		{"# Keys of a blob", "#", keysOf[Blob]()},
	} {
		_, part, ok := strings.Cut(doc, tc.heading+"\n")
		require.True(t, ok, tc.heading)
		part, _, _ = strings.Cut(part, "\n"+tc.end)
		var got []string
		for _, m := range regexp.MustCompile(`(?m)^  - ([a-z0-9-]+): `).FindAllStringSubmatch(part, -1) {
			got = append(got, m[1])
		}
		require.Equal(t, tc.want, got, tc.heading)
	}
	for name, f := range formats {
		require.Contains(t, doc, "\n  - "+name+": "+strings.Join(f.keys, ", ")+"\n")
	}
}

// keysOf returns the keys of a mapping in the order of its struct.
func keysOf[T any]() (keys []string) {
	for _, f := range fieldsOf(reflect.TypeFor[T]()) {
		keys = append(keys, f.key)
	}
	return keys
}

// TestFormats wants each key of a content to be one of some format, and each key
// of a format to be one of a content.
func TestFormats(t *testing.T) {
	all := []string{"format"}
	for _, f := range formats {
		all = append(all, f.keys...)
	}
	slices.Sort(all)
	keys := keysOf[Content]()
	slices.Sort(keys)
	require.Equal(t, keys, slices.Compact(all))
}

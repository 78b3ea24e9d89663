package repart_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/spec/repart"
)

func TestMain(m *testing.M) { fixture.Main(m) }

var seed = uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001")

// define writes definitions into a directory of their own: a file for each, of
// which the first line is the name. A text without a section gets one.
func define(t *testing.T, files ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repart.d")
	require.NoError(t, os.Mkdir(dir, 0o755))
	for _, f := range files {
		name, text, _ := strings.Cut(f, "\n")
		if text != "" && !strings.Contains(text, "[Partition]") {
			text = "[Partition]\n" + text
		}
		name = filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	return dir
}

// build builds the disk of definitions.
func build(t *testing.T, dir string, o repart.Options) (name string, plan *image.Plan) {
	t.Helper()
	return buildAll(t, []string{dir}, o)
}

// buildAll builds the disk of the definitions in several directories.
func buildAll(t *testing.T, dirs []string, o repart.Options) (name string, plan *image.Plan) {
	t.Helper()
	d, err := repart.Load(dirs, o)
	require.NoError(t, err)
	l, err := d.Layout(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	plan, err = l.Plan(t.Context())
	require.NoError(t, err)
	name = filepath.Join(t.TempDir(), "ours.img")
	require.NoError(t, plan.Build(t.Context(), name, image.Options{}))
	return name, plan
}

package integration

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	module    = "github.com/drivebay/drivebay/"
	imagetest = module + "image/internal/imagetest"
)

// goPackage is what go list prints of a package, as far as it is looked at.
type goPackage struct {
	ImportPath string
	Imports    []string
}

// TestImports holds the packages against the architecture: who may import whom.
func TestImports(t *testing.T) {
	packages := listPackages(t)
	for _, p := range packages {
		top := area(p.ImportPath)
		for _, imported := range p.Imports {
			if reason := forbidden(top, p.ImportPath, imported); reason != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, reason)
			}
		}
	}
	for _, name := range []string{"image", "loop", "nvme", "fixture"} {
		require.Contains(t, packages, module+name, "the architecture has it")
	}
}

// forbidden returns why a package of an area may not import another, "" where it
// may.
func forbidden(top, importer, imported string) string {
	to := area(imported)
	switch {
	case to == "integration" && top != "integration":
		return "nothing imports integration"
	case isPillar(top) && isPillar(to) && top != to:
		return "image, loop and nvme never import one another"
	case isPillar(top) && to == "fixture" && !isForTests(importer):
		return "fixture is above image, loop and nvme"
	case (top == "loop" || top == "nvme") && to == "" && !isStandard(imported) && !strings.HasPrefix(imported, "golang.org/x/sys/"):
		return "loop and nvme use the standard library and x/sys alone"
	case top == "fixture" && strings.HasPrefix(imported, "github.com/stretchr/testify"):
		return "fixture forces no assertion library on its users"
	case imported == "testing" && importer != module+"fixture" && !isForTests(importer):
		return "testing is for fixture, nvmetest and imagetest"
	case imported == imagetest:
		return "imagetest is imported by tests alone"
	}
	return ""
}

// area returns the first folder of a package of this module, "" for all others.
func area(path string) string {
	rest, ok := strings.CutPrefix(path, module)
	if !ok {
		return ""
	}
	top, _, _ := strings.Cut(rest, "/")
	return top
}

// isForTests reports whether a package below fixture is for tests.
func isForTests(path string) bool {
	return path == module+"nvme/nvmetest" || path == imagetest
}

func isPillar(area string) bool { return area == "image" || area == "loop" || area == "nvme" }

func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// listPackages returns the packages of this module by import path.
func listPackages(t *testing.T) map[string]goPackage {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	require.NoError(t, err)
	packages := map[string]goPackage{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
}

func TestForbidden(t *testing.T) {
	for _, tc := range []struct {
		importer, imported string
		want               bool
	}{
		{module + "image", module + "loop", true},
		{module + "nvme/internal/wire", module + "image/filetree", true},
		{module + "image", module + "image/filetree", false},
		{module + "fixture", module + "loop", false},
		{module + "loop", module + "fixture", true},
		{module + "loop", "golang.org/x/sys/unix", false},
		{module + "loop", "github.com/google/uuid", true},
		{module + "image", "github.com/google/uuid", false},
		{module + "fixture", "github.com/stretchr/testify/require", true},
		{module + "fixture", "testing", false},
		{module + "fixture/mount", "testing", true},
		{imagetest, "testing", false},
		{imagetest, module + "fixture", false},
		{module + "image/internal/sample", imagetest, true},
		{module + "examples/quickstart", module + "integration", true},
	} {
		if got := forbidden(area(tc.importer), tc.importer, tc.imported); (got != "") != tc.want {
			t.Errorf("%s imports %s: %q, forbidden: %t", tc.importer, tc.imported, got, tc.want)
		}
	}
}

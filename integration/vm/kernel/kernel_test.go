package kernel_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/vm/kernel"
)

// fetched returns all pinned kernels, from the cache or from Debian's archive.
func fetched(t testing.TB) []*kernel.Kernel {
	fixture.RequireTool(t, "apt-get", "dpkg-deb", "qemu-system-x86_64")
	var kernels []*kernel.Kernel
	for _, p := range kernel.Packages() {
		k, err := kernel.Fetch(t.Context(), p)
		require.NoError(t, err)
		kernels = append(kernels, k)
	}
	return kernels
}

func TestFetched(t *testing.T) {
	want := fetched(t)
	all, err := kernel.Fetched("amd64")
	require.NoError(t, err)
	for i, k := range want {
		require.Equal(t, k.Release, all[i].Release, "pinned ones first, in their order")
		require.Equal(t, "amd64", k.Arch)
		require.FileExists(t, k.Image)
		require.DirExists(t, k.ModuleDir)
		magic := make([]byte, 4)
		f, err := os.Open(k.ELF)
		require.NoError(t, err)
		defer f.Close()
		_, err = f.Read(magic)
		require.NoError(t, err)
		require.Equal(t, "\x7fELF", string(magic))
		require.Equal(t, "y", k.Option("CONFIG_BLK_DEV_NVME"))
		require.Equal(t, "is not set", k.Option("CONFIG_NET_9P"))
	}
}

// TestFetchForeign brings a kernel of an architecture that this machine's dpkg need
// not know.
func TestFetchForeign(t *testing.T) {
	before, err := exec.Command(fixture.RequireTool(t, "dpkg"), "--print-foreign-architectures").Output()
	require.NoError(t, err)
	fixture.RequireTool(t, "apt-get", "dpkg-deb", "qemu-system-aarch64")
	for _, p := range kernel.Foreign() {
		k, err := kernel.Fetch(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, p.Arch, k.Arch)
		require.Contains(t, p.Name, "-"+series(k.Release)+".")
		modules, err := k.Modules("loop")
		require.NoError(t, err)
		require.Len(t, modules, 1)
		found, err := kernel.Fetched(p.Arch)
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(found, func(f *kernel.Kernel) bool { return f.Image == k.Image }))
	}
	after, err := exec.Command("dpkg", "--print-foreign-architectures").Output()
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
}

// TestFetchTakesTheNewest pins versions that no archive has.
func TestFetchTakesTheNewest(t *testing.T) {
	pinned := fetched(t)[0]
	p := kernel.Packages()[0]
	p.Version = "0-0"
	k, err := kernel.Fetch(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, series(pinned.Release), series(k.Release))

	p.Meta = ""
	_, err = kernel.Fetch(t.Context(), p)
	require.ErrorContains(t, err, "fetch kernel "+p.Name+"=0-0: apt-get download ")
	p.Meta = "linux-image-no-such"
	_, err = kernel.Fetch(t.Context(), p)
	require.ErrorContains(t, err, "linux-image-no-such: exit status 100: E: No packages found")
}

// series returns "6.1" of "6.1.0-56-cloud-amd64".
func series(release string) string { return strings.Join(strings.Split(release, ".")[:2], ".") }

// TestModulesAsDepmod lets kmod judge what needs what.
func TestModulesAsDepmod(t *testing.T) {
	depmod := fixture.RequireTool(t, "depmod")
	names := []string{"loop", "vfat", "xfs", "btrfs", "nvme-tcp", "dm-crypt", "nls_iso8859-1", "virtio_blk"}
	for _, k := range fetched(t) {
		t.Run(k.Release, func(t *testing.T) {
			root := t.TempDir()
			modules := filepath.Join(root, "lib/modules", k.Release)
			require.NoError(t, os.MkdirAll(modules, 0o755))
			for _, name := range []string{"kernel", "modules.builtin", "modules.builtin.modinfo", "modules.order"} {
				require.NoError(t, os.Symlink(filepath.Join(k.ModuleDir, name), filepath.Join(modules, name)))
			}
			out, err := exec.Command(depmod, "-b", root, k.Release).CombinedOutput()
			require.NoError(t, err, "%s", out)
			dep, err := os.ReadFile(filepath.Join(modules, "modules.dep"))
			require.NoError(t, err)
			for _, name := range names {
				var want []string
				for line := range strings.Lines(string(dep)) {
					if base, _, _ := strings.Cut(filepath.Base(strings.Fields(line)[0]), ".ko"); base == name+":" || base == name {
						want = strings.Fields(strings.Replace(line, ":", "", 1))
					}
				}
				got, err := k.Modules(name)
				require.NoError(t, err)
				var paths []string
				for i, m := range got {
					paths = append(paths, strings.TrimPrefix(m.Path, k.ModuleDir+"/"))
					for _, need := range m.Needs {
						require.True(t, slices.ContainsFunc(got[:i], func(b kernel.Module) bool { return b.Name == need }),
							"%s after %s", m.Name, need)
					}
				}
				slices.Sort(want)
				require.Equal(t, want, slices.Sorted(slices.Values(paths)), name)
				require.NotEmpty(t, want, name)
			}
		})
	}
}

func TestAliases(t *testing.T) {
	for _, k := range fetched(t) {
		modules, err := k.Modules("vfat")
		require.NoError(t, err)
		require.Contains(t, modules[len(modules)-1].Aliases, "fs-vfat")
	}
}

// TestModulesAreKept reads a module a second time, from where the first has left it
// if it was compressed.
func TestModulesAreKept(t *testing.T) {
	for _, k := range fetched(t) {
		first, err := k.Modules("erofs")
		require.NoError(t, err)
		again, err := k.Modules("erofs")
		require.NoError(t, err)
		require.Equal(t, first, again)
		for _, m := range first {
			kept := filepath.Join(k.ModuleDir, "../../plain-modules", k.Release, m.Name+".ko")
			if filepath.Ext(m.Path) == ".ko" {
				require.NoFileExists(t, kept)
				continue
			}
			plain, err := exec.Command("xz", "-dc", m.Path).Output()
			require.NoError(t, err)
			found, err := os.ReadFile(kept)
			require.NoError(t, err)
			require.Equal(t, plain, found)
		}
	}
}

func TestMissingModule(t *testing.T) {
	k := fetched(t)[0]
	_, err := k.Modules("loop", "9p")
	require.EqualError(t, err, "kernel "+k.Release+" has no module 9p: its configuration says CONFIG_9P_FS is not set")
	var e *kernel.ModuleError
	require.ErrorAs(t, err, &e)
	_, err = k.Modules("no-such")
	require.EqualError(t, err, "kernel "+k.Release+" has no module no_such")
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := kernel.Open(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
	for name, content := range map[string]string{"empty": "", "text": strings.Repeat("no kernel\n", 100)} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
		_, err = kernel.Open(path)
		require.ErrorIs(t, err, kernel.ErrNotKernel)
		require.EqualError(t, err, "open kernel "+path+": not a Linux kernel, neither a bzImage nor an arm64 Image")
	}
}

// TestKernelWithoutModules has an image and nothing else.
func TestKernelWithoutModules(t *testing.T) {
	image, err := os.ReadFile(fetched(t)[0].Image)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "bzImage")
	require.NoError(t, os.WriteFile(path, image, 0o644))
	k, err := kernel.Open(path)
	require.NoError(t, err)
	if k.ModuleDir != "" {
		t.Skip("this machine has the same kernel installed")
	}
	_, err = k.Modules("loop")
	require.ErrorIs(t, err, kernel.ErrNoModules)
	require.False(t, errors.As(err, new(*kernel.ModuleError)))
}

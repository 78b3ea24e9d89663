package guests

import (
	"encoding/json"
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

const module = "github.com/drivebay/drivebay/"

// tools are the programs that tests in guests call.
var tools = []string{
	"losetup", "sfdisk", "sgdisk", "blockdev", "mkfs.ext4", "fsck.ext4", "e2fsck", "mkfs.xfs", "fsck.xfs", "xfs_repair", "mkfs.btrfs", "btrfs",
	"resize2fs", "mkswap", "swapon", "swapoff", "nvme", "sh", "true", "cat", "cp", "mount", "umount",
}

// claims is what a guest has, so that a test which misses any of it fails.
const claims = "root,loop,kernel,tool,fuse,nvme-tcp,fs:ext4,fs:vfat,fs:xfs,fs:btrfs,fs:iso9660"

// mkfs returns the flags that pack the programs which make and check file systems.
func mkfs(types ...string) (flags []string) {
	for _, fstype := range types {
		flags = append(flags, "tool=mkfs."+fstype, "tool=fsck."+fstype)
	}
	return flags
}

// suite is a run of go test in a guest.
type suite struct {
	name     string
	packages []string
	module   string   // "path@version" of a module of others that has the packages; "" ours
	flags    []string // of vmexec
	test     []string // of go test
	env      []string

	// boots replaces the run for what is not a test in a guest.
	boots func(t *testing.T, k *kernel.Kernel)
}

// What does not run in a guest, or is known to fail there, is left out by name and
// with its reason; nothing is left out in silence.
var suites = []suite{
	{name: "loop", packages: []string{"loop"}},
	{name: "loop with udev", packages: []string{"loop"}, flags: []string{"udev"}},
	{
		name: "fixture", packages: []string{"fixture"},
		flags: slices.Concat([]string{"module=nvme-tcp", "ondemand=xfs", "ondemand=btrfs", "tool=sync", "tool=blkid"},
			mkfs("ext2", "ext3", "minix", "vfat", "f2fs")),
	},
	{
		name: "fixture with udev", packages: []string{"fixture"},
		flags: []string{"udev", "module=nvme-tcp", "ondemand=xfs", "ondemand=btrfs", "tool=sync"},
		// These have nothing to do with a udevd but that it slows them down: programs of
		// file systems, files alone, drives, and power cuts, each of them a mount.
		test: []string{"-skip", "^Test(Mkfs|Golden|Layout|Cache|NVMe|PowerCut|FindPowerCut|SecondCall|CutSector|Flushes|BeforeIsKept|Replay|FirstFailure|Syncs)"},
	},
	{name: "disks with udev", packages: []string{"integration/guests/disks"}, flags: []string{"udev"}},
	{name: "disks", packages: []string{"integration/guests/disks"}},
	{name: "discs", packages: []string{"image/iso9660"}, flags: []string{"module=isofs"}, test: []string{"-run", "^TestKernel"}},
	{
		name: "dm-verity", packages: []string{"integration/guests/verity"},
		flags: []string{"module=dm-verity", "module=sha512_generic", "ondemand=squashfs", "tool=veritysetup"},
		env:   []string{"DRIVEBAY_DEVICE_MAPPER=1"},
	},
	{
		name: "drives over TCP", packages: []string{"nvme/nvmetest/tcptarget", "nvme/nvmetest"}, flags: []string{"module=nvme-tcp"},
		test: []string{"-run", "^TestKernel"},
	},
	{
		name: "nvme-cli over TCP", packages: []string{"integration/guests/fabrics"},
		flags: []string{"module=nvme-tcp", "tool=fio", "tool=dd", "nvme=serial=victim,size=64M"},
		env:   []string{"DRIVEBAY_NVME=serial=victim", "DRIVEBAY_NVME_SERIALS=victim"},
	},
	{
		name: "drives", packages: []string{"integration/guests/drives"},
		flags: []string{
			"nvme=serial=victim,size=16M", "nvme=serial=nvme1,size=16M,hotplug=true", "nvme=serial=guard64,size=16M,ms=16,pi=2,pif=2",
			"nvme=serial=pair,size=16M,subsystem=pair,shared=true", "nvme=serial=pair,size=16M,subsystem=pair,nsid=2,shared=true,detached=true",
		},
		env: []string{
			"DRIVEBAY_DRIVE=victim", "DRIVEBAY_DRIVE_TO_UNPLUG=nvme1", "DRIVEBAY_DRIVE_GUARD64=guard64", "DRIVEBAY_DRIVE_SHARED=pair",
		},
	},
	{name: "disks boot by UEFI", boots: bootsByUEFI},
	{name: "disks boot by systemd-boot and GRUB", boots: bootsByLoader},
	{
		name: "go-diskfs", module: "github.com/diskfs/go-diskfs@v1.9.4", packages: []string{"disk"},
		flags: []string{"file=../partition"}, test: []string{"-run", "BLKPG|Exclusive|Partition"},
	},
	{name: "moby/sys/mount", module: "github.com/moby/sys/mount@v0.3.4", packages: []string{"."}},
}

// TestSuites runs every suite on every kernel, and holds README.md's table of them
// against what has run.
func TestSuites(t *testing.T) {
	fixture.RequireTool(t, append([]string{"qemu-system-x86_64", "apt-get", "dpkg-deb", "udevadm", "veritysetup"}, tools...)...)
	vmexec := filepath.Join(t.TempDir(), "vmexec")
	out, err := exec.Command("go", "build", "-o", vmexec, module+"integration/cmd/vmexec").CombinedOutput()
	require.NoError(t, err, "%s", out)
	var r results
	t.Run("run", func(t *testing.T) {
		for _, p := range kernel.Packages() {
			k, err := kernel.Fetch(t.Context(), p)
			require.NoError(t, err)
			for _, s := range suites {
				t.Run(k.Release+"/"+s.name, func(t *testing.T) {
					t.Parallel()
					run := result{Suite: s.name, Kernel: k.Release}
					defer func() {
						if run.Failed = t.Failed(); !t.Skipped() {
							r.add(run)
						}
					}()
					if s.boots != nil {
						s.boots(t, k)
						return
					}
					run.Passed, run.Skipped = s.run(t, vmexec, k)
				})
			}
		}
	})
	r.check(t)
}

// run runs the suite and returns how many tests have passed, and the names of those
// that were skipped.
func (s suite) run(t *testing.T, vmexec string, k *kernel.Kernel) (passed int, skipped []string) {
	flags := append([]string{"kernel=" + k.Release, "scratch=512M", "module=loop max_part=15", "v"}, s.flags...)
	for _, tool := range tools {
		flags = append(flags, "tool="+tool)
	}
	config := filepath.Join(t.TempDir(), "vmexec.conf")
	require.NoError(t, os.WriteFile(config, []byte(strings.Join(flags, "\n")), 0o644))
	args := append([]string{"test", "-count=1", "-v", "-timeout=25m", "-exec", vmexec + " -config " + config}, s.test...)
	prefix := module
	if s.module != "" {
		prefix = "./"
	}
	for _, p := range s.packages {
		args = append(args, prefix+p)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), append(s.env, fixture.RequireEnv+"="+claims)...)
	if s.module != "" {
		cmd.Dir = download(t, s.module)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		name, isSkip := strings.CutPrefix(line, "--- SKIP: ")
		switch {
		case isSkip:
			skipped = append(skipped, strings.Fields(name)[0])
		case strings.HasPrefix(line, "--- PASS:"):
			passed++
		case strings.HasPrefix(line, "vmexec:") || strings.HasPrefix(line, "ok"):
			t.Log(line)
		}
	}
	require.Positive(t, passed, "%s", out)
	t.Logf("%d tests passed, %d skipped: %v", passed, len(skipped), skipped)
	return passed, skipped
}

// download returns the directory of somebody else's module. Where go cannot bring
// it, the test is skipped, but for a run that claims to have all that it needs.
func download(t *testing.T, module string) string {
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module).Output()
	var found struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &found); jsonErr != nil {
		err = errors.Join(err, jsonErr)
	}
	switch {
	case err == nil:
		return found.Dir
	case os.Getenv(fixture.RequireEnv) != "":
		t.Fatalf("download %s: %v: %s", module, err, found.Error)
	}
	t.Skipf("download %s: %v: %s", module, err, found.Error)
	return ""
}

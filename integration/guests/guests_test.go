package guests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/vm/kernel"
)

const module = "github.com/drivebay/drivebay/"

// tools are the programs that tests in guests call.
var tools = []string{
	"losetup", "sfdisk", "sgdisk", "blockdev", "mkfs.ext4", "fsck.ext4", "e2fsck", "nvme", "sh", "true", "cat", "mount", "umount",
}

// claims is what a guest has, so that a test which misses any of it fails.
const claims = "root,loop,kernel,tool,fuse,nvme-tcp,fs:ext4,fs:vfat"

// suite is a run of go test in a guest.
type suite struct {
	name     string
	packages []string
	flags    []string // of vmexec
	test     []string // of go test
	env      []string
}

// What does not run in a guest, or is known to fail there, is left out by name and
// with its reason; nothing is left out in silence.
var suites = []suite{
	{name: "loop", packages: []string{"loop"}},
	{
		// NB: package loop's own check for devices left behind does not wait for a
		// udevd that still has one open.
		name: "disks with udev", packages: []string{"integration/guests/disks"}, flags: []string{"udev"},
	},
	{
		name: "fixture", packages: []string{"fixture"},
		// Faults and power cuts take minutes without KVM.
		test: []string{"-run", "Disk|Mount|Golden|Template|Clone", "-skip", "Fault|PowerCut"},
	},
	{name: "disks", packages: []string{"integration/guests/disks"}},
	{
		name: "drives over TCP", packages: []string{"nvme/nvmetest/tcptarget"}, flags: []string{"module=nvme-tcp"},
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
}

// TestSuites runs every suite on every kernel.
func TestSuites(t *testing.T) {
	fixture.RequireTool(t, append([]string{"qemu-system-x86_64", "apt-get", "dpkg-deb", "udevadm"}, tools...)...)
	vmexec := filepath.Join(t.TempDir(), "vmexec")
	out, err := exec.Command("go", "build", "-o", vmexec, module+"integration/cmd/vmexec").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, p := range kernel.Packages() {
		k, err := kernel.Fetch(t.Context(), p)
		require.NoError(t, err)
		for _, s := range suites {
			t.Run(k.Release+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				s.run(t, vmexec, k)
			})
		}
	}
}

func (s suite) run(t *testing.T, vmexec string, k *kernel.Kernel) {
	flags := append([]string{"kernel=" + k.Release, "scratch=512M", "module=loop max_part=15", "v"}, s.flags...)
	for _, tool := range tools {
		flags = append(flags, "tool="+tool)
	}
	config := filepath.Join(t.TempDir(), "vmexec.conf")
	require.NoError(t, os.WriteFile(config, []byte(strings.Join(flags, "\n")), 0o644))
	args := append([]string{"test", "-count=1", "-v", "-timeout=5m", "-exec", vmexec + " -config " + config}, s.test...)
	for _, p := range s.packages {
		args = append(args, module+p)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), append(s.env, fixture.RequireEnv+"="+claims)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	counts := map[string]int{}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		for _, kind := range []string{"PASS", "SKIP"} {
			if strings.HasPrefix(line, "--- "+kind+":") {
				counts[kind]++
			}
		}
		if strings.HasPrefix(line, "--- SKIP") || strings.HasPrefix(line, "vmexec:") || strings.HasPrefix(line, "ok") {
			t.Log(line)
		}
	}
	require.Positive(t, counts["PASS"], "%s", out)
	t.Logf("%d tests passed, %d skipped", counts["PASS"], counts["SKIP"])
}

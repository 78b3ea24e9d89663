package repart

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/drivebay/drivebay/image"
)

// secondary are the architectures that a machine of another one runs as well, by
// Go's names: what root-secondary means.
var secondary = map[string]string{"amd64": "x86", "arm64": "arm", "mips64le": "mips-le", "ppc64": "ppc"}

// notSystemds are the names that package image has for types and systemd has not.
var notSystemds = []image.Type{
	"bios-boot", "prep", "microsoft-basic-data", "microsoft-reserved",
	"linux-raid", "linux-lvm", "linux-luks", "linux-reserved",
}

// parseType takes a name of systemd's or a GUID, and returns the type by its name,
// if it has one there.
func parseType(s string) (image.Type, error) {
	t := image.Type(s)
	for _, usage := range []string{"root", "usr"} {
		if rest, ok := strings.CutPrefix(s, usage+"-secondary"); ok && secondary[runtime.GOARCH] != "" {
			t = image.Type(usage + "-" + secondary[runtime.GOARCH] + rest)
		}
	}
	if id, err := parseUUID(s); err == nil {
		t = image.Type(id.String())
	}
	id, err := t.GUID()
	if err != nil || slices.Contains(notSystemds, t) || s == "" {
		return "", fmt.Errorf("%q: want a name of repart.d(5), such as esp or root-x86-64, or a GUID", s)
	}
	if named := image.TypeOf(id); !slices.Contains(notSystemds, named) {
		return named, nil
	}
	return image.Type(id.String()), nil
}

// isNamed reports whether a type of parseType has a name.
func isNamed(t image.Type) bool {
	_, err := parseUUID(string(t))
	return err != nil
}

// usage returns what a type is for, whatever the architecture: "root",
// "usr-verity", "home".
func usage(t image.Type) string {
	for _, base := range []string{"root", "usr"} {
		if rest, ok := strings.CutPrefix(string(t), base+"-"); ok {
			for _, kind := range []string{"-verity-sig", "-verity"} {
				if strings.HasSuffix(rest, kind) {
					return base + kind
				}
			}
			return base
		}
	}
	return string(t)
}

// For which usages the flags of the Discoverable Partitions Specification have a
// meaning (systemd's src/shared/gpt.c).
var (
	growing  = []string{"root", "usr", "home", "srv", "var", "tmp", "xbootldr"}
	readable = append([]string{"root-verity", "usr-verity", "root-verity-sig", "usr-verity-sig"}, growing...)
	mounting = append([]string{"root-verity", "usr-verity", "swap"}, growing...)
)

// mountPoints are where partitions of a usage are mounted: what is there in a
// source of files belongs to them.
var mountPoints = map[string][]string{
	"esp": {"/efi", "/boot"}, "xbootldr": {"/boot"}, "home": {"/home"}, "srv": {"/srv"},
	"var": {"/var"}, "tmp": {"/var/tmp"}, "usr": {"/usr"},
}

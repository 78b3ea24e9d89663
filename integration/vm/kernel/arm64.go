package kernel

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// offArm64Magic is where an arm64 Image has its magic number, "ARM\x64":
// Documentation/arch/arm64/booting.rst, 4.
const offArm64Magic = 0x38

func isArm64(head []byte) bool {
	return len(head) >= offArm64Magic+4 && string(head[offArm64Magic:offArm64Magic+4]) == "ARM\x64"
}

// arm64Release returns the release of an arm64 Image, whose head does not tell it:
// it is in what the kernel says first, init/version.c's linux_banner.
func arm64Release(path string) (string, error) {
	image, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	const banner = "Linux version "
	_, rest, ok := bytes.Cut(image, []byte(banner))
	if !ok {
		return "", fmt.Errorf("%w: it has the head of an arm64 Image and does not say %q", ErrNotKernel, banner)
	}
	word, _, _ := strings.Cut(string(rest[:min(len(rest), maxRelease)]), " ")
	if word == "" || strings.ContainsAny(word, "/\x00") {
		return "", fmt.Errorf("%w: its version is %q", ErrNotKernel, word)
	}
	return word, nil
}

// maxRelease in bytes is more than uname has room for: include/uapi/linux/utsname.h,
// __NEW_UTS_LEN.
const maxRelease = 65

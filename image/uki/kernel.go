package uki

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/drivebay/drivebay/image/internal/pecoff"
)

// Places in the head of a bzImage (Documentation/arch/x86/boot.rst).
const (
	setupMagicAt  = 0x202 // "HdrS"
	versionAt     = 0x20e // the offset of the version, less setupBase
	setupBase     = 0x200
	longestBanner = 256 // of the kernel's version that is looked at, bytes
)

// maxKernelHead covers what is looked at of a kernel: offsets have 16 bits, and
// its PE header is within its first pages.
const maxKernelHead = setupBase + 1<<16 + longestBanner

// kernel returns the kernel's release, "" where it is not known, and the machine
// that it is for.
func (m *Image) kernel() (uname string, machine uint16, err error) {
	head, err := m.Kernel.head(maxKernelHead)
	if err != nil {
		return "", 0, err
	}
	if machine, _, err = pecoff.ParseMachine(head); err != nil {
		return "", 0, err
	}
	if m.Uname != "" {
		return m.Uname, machine, nil
	}
	return release(head), machine, nil
}

// release returns the release of a kernel for x86 that begins with head, as its
// banner has it: "6.1.0-42-amd64 (debian-kernel@lists.debian.org) #1 SMP ...".
func release(head []byte) string {
	if len(head) < versionAt+2 || string(head[setupMagicAt:setupMagicAt+4]) != "HdrS" {
		return ""
	}
	at := setupBase + int(binary.LittleEndian.Uint16(head[versionAt:]))
	if at == setupBase || at >= len(head) {
		return ""
	}
	banner, _, terminated := bytes.Cut(head[at:min(len(head), at+longestBanner)], []byte{0})
	word, _, _ := strings.Cut(string(banner), " ")
	if !terminated || checkLine(word) != nil {
		return ""
	}
	return word
}

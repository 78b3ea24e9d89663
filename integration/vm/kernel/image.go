package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Offsets into a bzImage: Documentation/arch/x86/boot.rst, "The Real-Mode Kernel
// Header".
const (
	offSetupSects    = 0x1f1 // byte
	offBootFlag      = 0x1fe // 0xaa55
	offMagic         = 0x202 // "HdrS"
	offKernelVersion = 0x20e // 16 bits, less 0x200: where the version string is
	offPayload       = 0x248 // 32 bits, from the protected-mode code
	offPayloadLength = 0x24c // 32 bits

	sectorSize = 512
	headSize   = 64 << 10 // bytes that hold all of the real-mode code
)

// identify returns the architecture and the release that an image tells of itself.
func identify(path string) (arch, name string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, headSize))
	if err != nil {
		return "", "", err
	}
	if isArm64(head) {
		name, err = arm64Release(path)
		return "arm64", name, err
	}
	name, err = release(head)
	return "amd64", name, err
}

func release(head []byte) (string, error) {
	if len(head) < offPayloadLength+4 || binary.LittleEndian.Uint16(head[offBootFlag:]) != 0xaa55 ||
		string(head[offMagic:offMagic+4]) != "HdrS" {
		return "", ErrNotKernel
	}
	at := int(binary.LittleEndian.Uint16(head[offKernelVersion:])) + 0x200
	if at >= len(head) {
		return "", fmt.Errorf("%w: its version is said to be at byte %d, past its head", ErrNotKernel, at)
	}
	version, _, _ := bytes.Cut(head[at:], []byte{0})
	word, _, _ := strings.Cut(string(version), " ")
	if word == "" || strings.ContainsAny(word, "/\x00") {
		return "", fmt.Errorf("%w: its version is %q", ErrNotKernel, version)
	}
	return word, nil
}

// extractELF returns the uncompressed kernel that a bzImage holds.
func extractELF(image []byte) ([]byte, error) {
	if _, err := release(image); err != nil {
		return nil, err
	}
	setup := (int64(image[offSetupSects]) + 1) * sectorSize
	start := setup + int64(binary.LittleEndian.Uint32(image[offPayload:]))
	end := start + int64(binary.LittleEndian.Uint32(image[offPayloadLength:]))
	if end > int64(len(image)) || end-start < 8 {
		return nil, fmt.Errorf("%w: its payload is at bytes %d to %d of %d", ErrNotKernel, start, end, len(image))
	}
	payload := image[start:end]
	size := int64(binary.LittleEndian.Uint32(payload[len(payload)-4:])) // of the ELF, which the build appends
	if size > maxModule {
		return nil, fmt.Errorf("%w: it is said to hold %d bytes", ErrNotKernel, size)
	}
	plain, err := decompressPayload(payload[:len(payload)-4], int(size))
	if err != nil {
		return nil, fmt.Errorf("decompress kernel: %w", err)
	}
	if !bytes.HasPrefix(plain, []byte("\x7fELF")) {
		return nil, fmt.Errorf("%w: it does not hold an ELF file", ErrNotKernel)
	}
	return plain, nil
}

func decompressPayload(payload []byte, size int) ([]byte, error) {
	switch {
	case bytes.HasPrefix(payload, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxModule), zstd.WithDecoderMaxWindow(1<<29))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		return d.DecodeAll(payload, make([]byte, 0, size))
	case bytes.HasPrefix(payload, []byte{0x02, 0x21, 0x4c, 0x18}):
		return decompressLZ4(payload[4:], size)
	case bytes.HasPrefix(payload, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		r, err := xz.NewReader(bytes.NewReader(payload))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(io.LimitReader(r, int64(size)))
	}
	return nil, fmt.Errorf("its compression, which begins with % x, is none of zstd, lz4, xz", payload[:4])
}

var errLZ4 = errors.New("lz4: the data is corrupt")

// decompressLZ4 decompresses the blocks of LZ4's legacy frame, which is what the
// kernel's build makes: each is preceded by its length.
func decompressLZ4(src []byte, size int) ([]byte, error) {
	dst := make([]byte, 0, size)
	for len(src) >= 4 {
		n := int64(binary.LittleEndian.Uint32(src))
		if src = src[4:]; n > int64(len(src)) {
			return nil, errLZ4
		}
		var err error
		if dst, err = appendLZ4Block(dst, src[:n], size); err != nil {
			return nil, err
		}
		src = src[n:]
	}
	return dst, nil
}

// appendLZ4Block decompresses one block, whose matches stay within it: LZ4 Block
// Format, 2022-07-31.
func appendLZ4Block(dst, src []byte, limit int) ([]byte, error) {
	begin := len(dst)
	for len(src) > 0 {
		token := src[0]
		literals, rest, ok := lz4Length(int(token>>4), src[1:])
		if !ok || literals > len(rest) || literals > limit-len(dst) {
			return nil, errLZ4
		}
		dst, src = append(dst, rest[:literals]...), rest[literals:]
		if len(src) == 0 {
			return dst, nil // the last sequence has no match
		}
		if len(src) < 2 {
			return nil, errLZ4
		}
		offset := int(binary.LittleEndian.Uint16(src))
		match, rest, ok := lz4Length(int(token&15), src[2:])
		match += 4
		if !ok || offset == 0 || offset > len(dst)-begin || match > limit-len(dst) {
			return nil, errLZ4
		}
		for match > 0 { // a match may overlap what it makes
			n := min(match, offset)
			dst = append(dst, dst[len(dst)-offset:len(dst)-offset+n]...)
			match -= n
		}
		src = rest
	}
	return dst, nil
}

// lz4Length adds the bytes that extend a length of 15.
func lz4Length(n int, src []byte) (int, []byte, bool) {
	if n < 15 {
		return n, src, true
	}
	for i, b := range src {
		n += int(b)
		if n > maxModule {
			return 0, nil, false
		}
		if b != 255 {
			return n, src[i+1:], true
		}
	}
	return 0, nil, false
}

package repart

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// specifiers expands what begins with a percent sign. The values are those of the
// root directory where there is one, as systemd-repart's --root has it, else of
// this machine.
type specifiers struct {
	root string
	os   map[string]string // of os-release; nil until it is read
}

// architectures are systemd's names of Go's architectures (systemd.unit(5),
// ConditionArchitecture).
var architectures = map[string]string{
	"386": "x86", "amd64": "x86-64", "arm": "arm", "arm64": "arm64", "loong64": "loongarch64",
	"mips": "mips", "mipsle": "mips-le", "mips64": "mips64", "mips64le": "mips64-le",
	"ppc64": "ppc64", "ppc64le": "ppc64-le", "riscv64": "riscv64", "s390x": "s390x",
}

// releaseKeys are the specifiers that stand for a value of os-release(5).
var releaseKeys = map[byte]string{
	'A': "IMAGE_VERSION", 'B': "BUILD_ID", 'M': "IMAGE_ID", 'o': "ID", 'w': "VERSION_ID", 'W': "VARIANT_ID",
}

// expand replaces the specifiers of a text: those that extra has first. One that
// there is none of is an error.
func (s *specifiers) expand(text string, extra map[byte]string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		if i++; i == len(text) {
			return "", fmt.Errorf("%q: a percent sign at the end: want %%%% for one", text)
		}
		value, ok := extra[text[i]]
		if !ok {
			var err error
			if value, err = s.value(text[i]); err != nil {
				return "", fmt.Errorf("%q: %%%c: %w", text, text[i], err)
			}
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// value returns what a specifier stands for.
func (s *specifiers) value(c byte) (string, error) {
	if key, ok := releaseKeys[c]; ok {
		return s.release(key)
	}
	switch c {
	case '%':
		return "%", nil
	case 'a':
		return architectures[runtime.GOARCH], nil
	case 'b':
		return readLine("/proc/sys/kernel/random/boot_id", true)
	case 'H', 'l':
		name, err := os.Hostname()
		if c == 'l' {
			name, _, _ = strings.Cut(name, ".")
		}
		return name, err
	case 'm':
		return readLine(filepath.Join(s.root, "/etc/machine-id"), false)
	case 'v':
		return readLine("/proc/sys/kernel/osrelease", false)
	case 'T':
		return temporary("/tmp"), nil
	case 'V':
		return temporary("/var/tmp"), nil
	}
	return "", errors.New("want one of repart.d(5)'s specifiers, or %% for a percent sign")
}

// temporary returns the directory for temporary files.
func temporary(otherwise string) string {
	for _, name := range []string{"TMPDIR", "TEMP", "TMP"} {
		if dir := os.Getenv(name); filepath.IsAbs(dir) {
			return dir
		}
	}
	return otherwise
}

// readLine returns the first line of a file. IDs are written without dashes.
func readLine(name string, undash bool) (string, error) {
	b, err := os.ReadFile(name)
	line, _, _ := strings.Cut(string(b), "\n")
	if undash {
		line = strings.ReplaceAll(line, "-", "")
	}
	return strings.TrimSpace(line), err
}

// release returns a value of os-release, "" where it has none.
func (s *specifiers) release(key string) (string, error) {
	if s.os == nil {
		values, err := readRelease(filepath.Join(s.root, "/etc/os-release"))
		if errors.Is(err, fs.ErrNotExist) {
			values, err = readRelease(filepath.Join(s.root, "/usr/lib/os-release"))
		}
		if err != nil {
			return "", err
		}
		s.os = values
	}
	return s.os[key], nil
}

// readRelease reads a file of shell assignments, as os-release(5) has them.
func readRelease(name string) (map[string]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	values := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		key, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		words, err := splitWords(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %s=%w", name, key, err)
		}
		values[key] = strings.Join(words, " ")
	}
	return values, lines.Err()
}

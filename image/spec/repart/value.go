package repart

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// grain is the unit in which partitions begin and are sized, in bytes.
const grain = 4096

// parseBool takes what systemd takes for yes and no (parse_boolean).
func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "1", "yes", "y", "true", "t", "on":
		return true, nil
	case "0", "no", "n", "false", "f", "off":
		return false, nil
	}
	return false, fmt.Errorf("%q: want yes or no", s)
}

// parseNumber takes a whole number in a range.
func parseNumber(s string, low, high int64) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%q: want a number from %d to %d", s, low, high)
	}
	return n, nil
}

// parseFlags takes 64 bits.
func parseFlags(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil || strings.Contains(s, "_") {
		return 0, fmt.Errorf("%q: want 64 bits as a number, 0x and hexadecimal digits, or 0b and binary ones", s)
	}
	return n, nil
}

// parseSize takes a number of bytes with the suffixes that systemd has, to the
// base of 1024.
func parseSize(s string) (int64, error) {
	digits, shift := s, 0
	if s != "" {
		if i := strings.IndexByte("BKMGTPE", s[len(s)-1]); i >= 0 {
			digits, shift = strings.TrimRight(s[:len(s)-1], " "), 10*i
		}
	}
	bad := fmt.Errorf("%q: want a number of bytes, or of K, M, G, T, P or E", s)
	if digits == "" || len(digits) > 30 || strings.Trim(digits, "0123456789.") != "" || digits[0] == '.' {
		return 0, bad
	}
	r, ok := new(big.Rat).SetString(digits)
	if !ok {
		return 0, bad
	}
	r.Mul(r, new(big.Rat).SetInt64(1<<shift))
	n := new(big.Int).Quo(r.Num(), r.Denom()) // of 1.3K, systemd drops the fraction
	if !n.IsInt64() || n.Int64() > math.MaxInt64-grain {
		return 0, fmt.Errorf("%q: want less than %d bytes", s, int64(math.MaxInt64-grain))
	}
	return n.Int64(), nil
}

// parseUUID takes a UUID with dashes or without.
func parseUUID(s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil || len(s) != 36 && len(s) != 32 {
		return uuid.Nil, fmt.Errorf("%q: want a UUID", s)
	}
	return id, nil
}

// splitWords splits at white space. Quotes keep it, and a backslash what follows.
func splitWords(s string) (words []string, err error) {
	var word strings.Builder
	inside, quote := false, rune(0)
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\':
			inside, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			inside, quote = true, r
		case quote == 0 && strings.ContainsRune(" \t\n\r", r):
			if inside {
				words = append(words, word.String())
				word.Reset()
			}
			inside = false
		default:
			inside = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("%q: want every quote closed", s)
	}
	if inside {
		words = append(words, word.String())
	}
	return words, nil
}

// simpleEscapes are what follows a backslash and stands for one character, in C
// and for the space.
var simpleEscapes = map[byte]byte{
	'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', 's': ' ',
	'\\': '\\', '"': '"', '\'': '\'',
}

// unescape replaces the escape sequences of C.
func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		rest := s[i+1:]
		if rest != "" {
			if c, ok := simpleEscapes[rest[0]]; ok {
				b.WriteByte(c)
				i++
				continue
			}
		}
		n, err := unescapeNumber(&b, rest)
		if err != nil {
			return "", fmt.Errorf("%q: %w", s, err)
		}
		i += n
	}
	return b.String(), nil
}

// unescapeNumber writes what \x20, \040 or \u0020 stands for, without the
// backslash, and returns how long that is.
func unescapeNumber(b *strings.Builder, s string) (int, error) {
	digits, base, skip := 0, 16, 1
	switch {
	case strings.HasPrefix(s, "x"):
		digits = 2
	case strings.HasPrefix(s, "u"):
		digits = 4
	case strings.HasPrefix(s, "U"):
		digits = 8
	default:
		digits, base, skip = 3, 8, 0
	}
	if len(s) < skip+digits {
		return 0, errors.New("an escape sequence that is none")
	}
	n, err := strconv.ParseUint(s[skip:skip+digits], base, 32)
	if err != nil || n == 0 || digits <= 3 && n > 0xff || !utf8.ValidRune(rune(n)) {
		return 0, errors.New("an escape sequence that is none")
	}
	if digits <= 3 {
		b.WriteByte(byte(n))
	} else {
		b.WriteRune(rune(n))
	}
	return skip + digits, nil
}

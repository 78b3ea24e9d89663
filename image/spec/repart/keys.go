package repart

import (
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/squashfs"
)

// reader takes the settings of one definition.
type reader struct {
	d    *Definition
	spec *specifiers
}

// keys are the settings of a partition.
var keys = map[string]func(r *reader, at Place, value string) error{
	"Type":   func(r *reader, _ Place, v string) (err error) { r.d.Type, err = parseType(v); return err },
	"Label":  (*reader).label,
	"UUID":   (*reader).uuid,
	"Format": (*reader).format,

	"Priority": func(r *reader, _ Place, v string) error {
		return setNumber(&r.d.Priority, v, math.MinInt32, math.MaxInt32)
	},
	"Weight":        func(r *reader, _ Place, v string) error { return setNumber(&r.d.Weight, v, 0, 1_000_000) },
	"PaddingWeight": func(r *reader, _ Place, v string) error { return setNumber(&r.d.PaddingWeight, v, 0, 1_000_000) },

	"SizeMinBytes":    func(r *reader, _ Place, v string) error { return setSize(&r.d.SizeMin, v, grain-1) },
	"SizeMaxBytes":    func(r *reader, _ Place, v string) error { return setSize(&r.d.SizeMax, v, 0) },
	"PaddingMinBytes": func(r *reader, _ Place, v string) error { return setSize(&r.d.PaddingMin, v, grain-1) },
	"PaddingMaxBytes": func(r *reader, _ Place, v string) error { return setSize(&r.d.PaddingMax, v, 0) },

	"CopyBlocks":         (*reader).copyBlocks,
	"CopyFiles":          (*reader).copyFiles,
	"ExcludeFiles":       func(r *reader, _ Place, v string) error { return r.path(&r.d.ExcludeFiles, v) },
	"ExcludeFilesTarget": func(r *reader, _ Place, v string) error { return r.path(&r.d.ExcludeFilesTarget, v) },
	"MakeDirectories":    func(r *reader, _ Place, v string) error { return r.paths(&r.d.MakeDirectories, v) },
	"MakeSymlinks":       (*reader).makeSymlinks,
	"Subvolumes":         func(r *reader, _ Place, v string) error { return r.paths(&r.d.Subvolumes, v) },
	"Minimize":           (*reader).minimize,
	"Compression":        (*reader).compression,
	"CompressionLevel": func(r *reader, _ Place, v string) error {
		return setNumber(&r.d.CompressionLevel, v, 1, math.MaxInt32)
	},

	"Verity": func(r *reader, _ Place, v string) error {
		return setWord(&r.d.Verity, v, VerityOff, VerityData, VerityHash, VeritySignature)
	},
	"VerityMatchKey": func(r *reader, _ Place, v string) error { r.d.VerityMatchKey = v; return nil },

	"Flags":          func(r *reader, _ Place, v string) (err error) { r.d.flags, err = parseFlags(v); return err },
	"NoAuto":         func(r *reader, _ Place, v string) error { return setBool(&r.d.noAuto, v) },
	"ReadOnly":       func(r *reader, _ Place, v string) error { return setBool(&r.d.readOnly, v) },
	"GrowFileSystem": func(r *reader, _ Place, v string) error { return setBool(&r.d.growing, v) },

	"SplitName": (*reader).splitName,
	// FactoryReset takes partitions away from a disk that is there already.
	"FactoryReset": func(_ *reader, _ Place, v string) error { _, err := parseBool(v); return err },
	"Encrypt":      (*reader).encrypt,
}

// read takes the settings of a file.
func (r *reader) read(list []setting) (errs []error) {
	for _, s := range list {
		set, ok := keys[s.key]
		if !ok {
			errs = append(errs, s.failf("%s: %w: want a setting of repart.d(5) among those that this package lists", s.key, ErrNotSupported))
			continue
		}
		r.d.places[s.key] = s.Place
		if err := set(r, s.Place, s.value); err != nil {
			errs = append(errs, s.failf("%s %w", s.key, err))
		}
	}
	return errs
}

func setNumber[T int | int32 | int64](to *T, value string, low, high int64) error {
	n, err := parseNumber(value, low, high)
	*to = T(n)
	return err
}

// setSize takes a size, to which it adds up before it rounds down.
func setSize(to *int64, value string, up int64) error {
	n, err := parseSize(value)
	*to = (n + up) / grain * grain
	return err
}

func setBool(to **bool, value string) error {
	b, err := parseBool(value)
	*to = &b
	return err
}

func setWord[T ~string](to *T, value string, words ...T) error {
	if *to = T(value); !slices.Contains(words, *to) {
		return fmt.Errorf("%q: want one of %v", value, words)
	}
	return nil
}

func (r *reader) label(_ Place, value string) (err error) {
	r.d.HasLabel = true // even of an empty one
	r.d.Label, err = r.spec.expand(value, nil)
	return err
}

func (r *reader) uuid(_ Place, value string) (err error) {
	switch value {
	case "":
		r.d.UUID = uuid.Nil
	case "null":
		return fmt.Errorf("null: %w: a partition without a UUID", ErrNotSupported)
	default:
		if r.d.UUID, err = parseUUID(value); err == nil && r.d.UUID == uuid.Nil {
			return fmt.Errorf("%q: %w: a partition without a UUID", value, ErrNotSupported)
		}
	}
	return err
}

func (r *reader) format(_ Place, value string) error {
	if _, ok := formats[value]; !ok && value != "" {
		return fmt.Errorf("%q: %w: want one of %s", value, ErrNotSupported, strings.Join(formatNames(), ", "))
	}
	r.d.Format = value
	return nil
}

func (r *reader) copyBlocks(_ Place, value string) (err error) {
	switch value {
	case "":
		r.d.CopyBlocks = ""
		return nil
	case "auto":
		return fmt.Errorf("auto: %w: want the path of a file", ErrNotSupported)
	}
	r.d.CopyBlocks, err = r.absolute(value)
	return err
}

func (r *reader) copyFiles(at Place, value string) error {
	if value == "" {
		r.d.CopyFiles = nil
		return nil
	}
	parts := strings.Split(value, ":")
	if len(parts) > 3 {
		return fmt.Errorf("%q: want a source, or a source:target", value)
	}
	if len(parts) == 3 && parts[2] != "" && parts[2] != "fsverity=off" {
		return fmt.Errorf("%q: option %q: %w", value, parts[2], ErrNotSupported)
	}
	if len(parts) == 1 || parts[1] == "" {
		parts = []string{parts[0], parts[0]}
	}
	for i, part := range parts[:2] {
		part, err := unescape(part)
		if err == nil {
			part, err = r.absolute(part)
		}
		if err != nil {
			return err
		}
		parts[i] = part
	}
	r.d.CopyFiles = append(r.d.CopyFiles, CopyFiles{parts[0], parts[1], at})
	return nil
}

func (r *reader) makeSymlinks(at Place, value string) error {
	if value == "" {
		r.d.MakeSymlinks = nil
		return nil
	}
	words, err := splitWords(value)
	if err != nil {
		return err
	}
	for _, word := range words {
		from, to, ok := strings.Cut(word, ":")
		if !ok || to == "" {
			return fmt.Errorf("%q: want a path:target", word)
		}
		if from, err = r.absolute(from); err != nil {
			return err
		}
		if to, err = r.spec.expand(to, nil); err != nil {
			return err
		}
		r.d.MakeSymlinks = append(r.d.MakeSymlinks, MakeSymlink{from, to, at})
	}
	return nil
}

func (r *reader) minimize(_ Place, value string) error {
	if yes, err := parseBool(value); err == nil {
		value = map[bool]string{true: string(MinimizeBest), false: string(MinimizeOff)}[yes]
	}
	return setWord(&r.d.Minimize, value, MinimizeOff, MinimizeBest, MinimizeGuess)
}

func (r *reader) compression(_ Place, value string) (err error) {
	r.d.Compression = squashfs.Zstd
	if value != "" {
		r.d.Compression, err = squashfs.ParseCompression(value)
	}
	return err
}

func (r *reader) splitName(_ Place, value string) error {
	switch value {
	case "":
		value = "%t"
	case "-":
		value = ""
	}
	r.d.SplitName = value
	return nil
}

func (r *reader) encrypt(_ Place, value string) error {
	if yes, err := parseBool(value); err == nil && !yes {
		return nil
	}
	return fmt.Errorf("%q: %w: want off", value, ErrNotSupported)
}

// path adds a path to a list; an empty one empties it. A slash at the end is kept.
func (r *reader) path(list *[]string, value string) error {
	if value == "" {
		*list = nil
		return nil
	}
	name, err := r.absolute(value)
	if err != nil {
		return err
	}
	if strings.HasSuffix(value, "/") && name != "/" {
		name += "/"
	}
	*list = append(*list, name)
	return nil
}

// paths adds the paths of a list to another; an empty one empties it.
func (r *reader) paths(list *[]string, value string) error {
	if value == "" {
		*list = nil
		return nil
	}
	words, err := splitWords(value)
	if err != nil {
		return err
	}
	for _, word := range words {
		name, err := r.absolute(word)
		if err != nil {
			return err
		}
		*list = append(*list, name)
	}
	return nil
}

// absolute returns an absolute path in its shortest form, its specifiers expanded.
func (r *reader) absolute(value string) (string, error) {
	name, err := r.spec.expand(value, nil)
	if err != nil {
		return "", err
	}
	switch {
	case !strings.HasPrefix(name, "/"):
		return "", fmt.Errorf("%q: want an absolute path", value)
	case slices.Contains(strings.Split(name, "/"), ".."):
		return "", fmt.Errorf("%q: want a path without \"..\"", value)
	case strings.ContainsRune(name, 0):
		return "", errors.New("a path with a NUL")
	}
	return path.Clean(name), nil
}

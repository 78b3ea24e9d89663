package spec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drivebay/drivebay/image"
)

// Error is what is wrong at one place of a spec. Where there are several, they
// are joined, in the order of the file.
type Error struct {
	// File is the name of the spec. Line and Column count from 1; they are 0
	// where the error is one of the whole file.
	File         string
	Line, Column int
	// Object is what the place belongs to, "" for the disk itself:
	// `partition "root": content`.
	Object string
	// Err is what is wrong there.
	Err error
}

// Error returns the place as compilers print it, the object and the cause:
//
//	disk.yaml:12:5: partition "root": size "2 gigs": want ...
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Object != "" {
		b.WriteString(e.Object + ": ")
	}
	b.WriteString(e.Err.Error())
	return shorten(b.String())
}

// maxText is how long an error may be in bytes. It may cite what is in the file.
const maxText = 2000

// shorten leaves out the middle of a text that nobody would read.
func shorten(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText/2], "") + " ... " + strings.ToValidUTF8(s[len(s)-maxText/2:], "")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// maxErrors is how many errors of one file are told.
const maxErrors = 20

// joinErrors returns the errors of a file in the order of their places.
func joinErrors(list []*Error) error {
	if len(list) == 0 {
		return nil
	}
	slices.SortStableFunc(list, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	errs := make([]error, 0, len(list))
	for i, e := range list {
		if i == maxErrors {
			errs = append(errs, fmt.Errorf("%s: and %d more errors", e.File, len(list)-i))
			break
		}
		errs = append(errs, e)
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// fieldKeys are the keys of those fields of a layout that have another name.
var fieldKeys = map[string]string{"min size": "size", "max size": "size", "free percent": "free"}

// locate gives an error of planning the place in the spec of what it is about.
// The error names that itself.
func (s *Spec) locate(err error) error {
	var l *image.LayoutError
	if !errors.As(err, &l) {
		return &Error{File: s.file, Err: err}
	}
	kind, rest, _ := strings.Cut(l.Object, " ")
	var number int
	_, _ = fmt.Sscanf(rest, "%d", &number)
	at := s.place
	switch {
	case kind == "partition" && number >= 1 && number <= len(s.Partitions):
		at = s.Partitions[number-1].place
	case kind == "blob" && number >= 1 && number <= len(s.Blobs):
		at = s.Blobs[number-1].place
	}
	key := strings.ReplaceAll(l.Field, " ", "-")
	if inside, ok := fieldKeys[l.Field]; ok {
		key = inside
	}
	pos := at.of(key)
	return &Error{File: s.file, Line: pos.line, Column: pos.column, Err: err}
}

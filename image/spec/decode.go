package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// The decoder works on go-yaml's syntax tree. Its own decoding into structs turns
// the number 0644 into 420 and 0x0c into 12, takes numbers for strings, and stops
// at the first error; here every scalar is what stands in the file, and every
// error is told with its place.

// position is a place in a file, from 1.
type position struct{ line, column int }

// place is where a mapping of the file begins, and where its values are. Every
// struct that is read from a mapping embeds one.
type place struct {
	begin position
	keys  map[string]position
}

func (p *place) at() *place { return p }

// of returns where the value of a key is, or where the mapping begins.
func (p *place) of(key string) position {
	if pos, ok := p.keys[key]; ok {
		return pos
	}
	return p.begin
}

// has reports whether the mapping has a key.
func (p *place) has(key string) bool {
	_, ok := p.keys[key]
	return ok
}

// decoder reads one file.
type decoder struct {
	file    string
	anchors map[string]ast.Node
	objects []string // what is being read, outermost first
	errs    []*Error
	steps   int
	fields  map[reflect.Type][]field
}

// Limits that no honest file meets: of nodes, aliases counted as often as they
// are used, and of brackets that are open at once, for each of which the parser
// takes stack.
const (
	maxSteps = 500_000
	maxDepth = 1000
)

// limitError is what the decoder panics with, deep inside a file that has more to
// it than it seems.
type limitError string

func (e limitError) Error() string { return string(e) }

// document reads the one document of a file into v.
func (d *decoder) document(b []byte, v any) {
	defer func() {
		// go-yaml 1.19.2 panics at a few files that make no sense.
		if r := recover(); r != nil {
			if limit, ok := r.(limitError); ok {
				d.errs = []*Error{{File: d.file, Err: limit}}
				return
			}
			d.errs = append(d.errs, &Error{File: d.file, Err: fmt.Errorf("not YAML: %v", r)})
		}
	}()
	if line, ok := tooDeep(b); ok {
		d.errs = append(d.errs, &Error{File: d.file, Line: line, Column: 1, Err: fmt.Errorf("not a spec: over %d levels deep", maxDepth)})
		return
	}
	if line, ok := tooLong(b); ok && !json.Valid(b) {
		d.errs = append(d.errs, &Error{File: d.file, Line: line, Column: 1, Err: fmt.Errorf("line is over %d bytes long: want shorter ones, or the whole spec in JSON", maxLine)})
		return
	}
	f, err := parser.ParseBytes(b, 0)
	if err != nil {
		d.syntax(err)
		return
	}
	docs := slices.DeleteFunc(f.Docs, func(doc *ast.DocumentNode) bool { return doc.Body == nil })
	switch {
	case len(docs) == 0:
		d.errs = append(d.errs, &Error{File: d.file, Line: 1, Column: 1, Err: errors.New("spec is empty: want at least partitions")})
		return
	case len(docs) > 1:
		d.fail(docs[1].Body, errors.New("a second document: want one disk in a file"))
		return
	}
	d.anchors = map[string]ast.Node{}
	d.value(docs[0].Body, reflect.ValueOf(v).Elem(), "")
}

// tooDeep returns the line at which a file is nested deeper than any spec.
func tooDeep(b []byte) (line int, ok bool) {
	line, depth := 1, 0
	indent, atStart := 0, true
	for _, c := range b {
		switch c {
		case '\n':
			line++
			indent, atStart = 0, true
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		case '-', '?', ' ':
			if atStart {
				indent++
			}
			if indent > 2*maxDepth {
				return line, true
			}
			continue
		}
		atStart = false
		if depth > maxDepth {
			return line, true
		}
	}
	return 0, false
}

// tooLong returns the first line that is longer than maxLine.
func tooLong(b []byte) (line int, ok bool) {
	for text := range bytes.Lines(b) {
		if line++; len(text) > maxLine {
			return line, true
		}
	}
	return 0, false
}

// syntax reports an error of the parser.
func (d *decoder) syntax(err error) {
	e := &Error{File: d.file, Err: fmt.Errorf("not YAML: %w", err)}
	var y yaml.Error
	if errors.As(err, &y) {
		e.Err = fmt.Errorf("not YAML: %s", y.GetMessage())
		if t := y.GetToken(); t != nil && t.Position != nil {
			e.Line, e.Column = t.Position.Line, t.Position.Column
		}
	}
	d.errs = append(d.errs, e)
}

// fail reports an error at a node.
func (d *decoder) fail(n ast.Node, err error) { d.failAt(positionOf(n), err) }

func (d *decoder) failAt(pos position, err error) {
	d.errs = append(d.errs, &Error{
		File: d.file, Line: pos.line, Column: pos.column, Object: strings.Join(d.objects, ": "), Err: err,
	})
}

// within calls fn while an object is being read.
func (d *decoder) within(object string, fn func()) {
	if object != "" {
		d.objects = append(d.objects, object)
		defer func() { d.objects = d.objects[:len(d.objects)-1] }()
	}
	fn()
}

// positionOf returns where a node begins.
func positionOf(n ast.Node) position {
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return positionOf(m.Values[0])
		}
	case *ast.MappingValueNode:
		return positionOf(m.Key)
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return position{}
	}
	p := n.GetToken().Position
	return position{p.Line, p.Column}
}

// resolve returns the node that an anchor or an alias stands for, nil where it
// stands for nothing.
func (d *decoder) resolve(n ast.Node) ast.Node {
	for range maxDepth {
		if d.steps++; d.steps > maxSteps {
			panic(limitError("not a spec: over " + strconv.Itoa(maxSteps) + " values"))
		}
		switch m := n.(type) {
		case *ast.AnchorNode:
			d.anchors[m.Name.GetToken().Value] = m.Value
			n = m.Value
		case *ast.AliasNode:
			target, ok := d.anchors[m.Value.GetToken().Value]
			if !ok {
				d.fail(n, fmt.Errorf("alias *%s: there is no anchor of this name before it", m.Value.GetToken().Value))
				return nil
			}
			n = target
		default:
			return n
		}
	}
	d.fail(n, errors.New("an alias that stands for itself"))
	return nil
}

// value reads a node into v, which is the value of key.
func (d *decoder) value(n ast.Node, v reflect.Value, key string) {
	node := d.resolve(n)
	if node == nil {
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if parse, ok := scalars[v.Type()]; ok {
		d.scalar(node, v, key, parse)
		return
	}
	switch x := v.Addr().Interface().(type) {
	case *Extent:
		d.extent(node, x, key)
		return
	case *[]Xattr:
		d.xattrs(node, x, key)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(node, v, key)
	case reflect.Slice:
		d.list(node, v, key)
	case reflect.String:
		d.string(node, v, key)
	case reflect.Bool:
		if b, ok := node.(*ast.BoolNode); ok {
			v.SetBool(b.Value)
			return
		}
		d.wrong(node, key, "true or false")
	default: // integers
		d.integer(node, v, key)
	}
}

package spec

import (
	"cmp"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// wrong reports a node that is not what is wanted.
func (d *decoder) wrong(n ast.Node, key, want string) {
	if text, ok := scalarText(n); ok {
		d.fail(n, fmt.Errorf("%s: want %s", strings.TrimPrefix(key+" "+quoted(n, text), " "), want))
		return
	}
	if key == "" && len(d.objects) > 0 { // the object is named already
		d.fail(n, fmt.Errorf("want %s, not %s", want, kindOf(n)))
		return
	}
	d.fail(n, fmt.Errorf("%s: want %s, not %s", cmp.Or(key, "spec"), want, kindOf(n)))
}

// quoted returns a scalar as errors show it.
func quoted(n ast.Node, text string) string {
	if n.Type() == ast.StringType || n.Type() == ast.LiteralType {
		if len(text) > 60 {
			text = text[:60] + "..."
		}
		return strconv.Quote(text)
	}
	return text
}

// kindOf names what a node is.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.TagNode:
		return "a tag"
	}
	return "a value of type " + strings.ToLower(n.Type().String())
}

// scalarText returns what stands in the file for a scalar, without its quotes.
func scalarText(n ast.Node) (string, bool) {
	switch m := n.(type) {
	case *ast.StringNode:
		return m.Value, true
	case *ast.LiteralNode:
		return m.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// scalar reads a node by the parser of v's type.
func (d *decoder) scalar(n ast.Node, v reflect.Value, key string, parse func(string) (any, error)) {
	text, ok := scalarText(n)
	if !ok {
		_, err := parse("")
		want := "a scalar"
		if err != nil {
			want = strings.TrimPrefix(err.Error(), "want ")
		}
		d.wrong(n, key, want)
		return
	}
	x, err := parse(text)
	if err != nil {
		d.fail(n, fmt.Errorf("%s %s: %w", key, strconv.Quote(text), err))
		return
	}
	v.Set(reflect.ValueOf(x))
}

func (d *decoder) string(n ast.Node, v reflect.Value, key string) {
	switch text, ok := scalarText(n); {
	case !ok:
		d.wrong(n, key, "a text")
	case n.Type() != ast.StringType && n.Type() != ast.LiteralType:
		d.wrong(n, key, fmt.Sprintf("a text: put it in quotes, %q", text))
	default:
		v.SetString(text)
	}
}

func (d *decoder) integer(n ast.Node, v reflect.Value, key string) {
	text, ok := scalarText(n)
	i, err := strconv.ParseInt(text, 10, v.Type().Bits())
	if !ok || err != nil || i < 0 || n.Type() != ast.IntegerType || len(text) > 1 && text[0] == '0' {
		d.wrong(n, key, "a whole number, not negative")
		return
	}
	v.SetInt(i)
}

// extent reads a size, or bounds for it.
func (d *decoder) extent(n ast.Node, e *Extent, key string) {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		var b bounds
		d.mapping(n, reflect.ValueOf(&b).Elem(), key)
		e.Min, e.Max = b.Min, b.Max
		if !b.has("min") && !b.has("max") {
			d.fail(n, fmt.Errorf("%s: want min, max, or both", key))
		}
		return
	}
	d.value(n, reflect.ValueOf(&e.Exact).Elem(), key)
	if text, ok := scalarText(n); ok && e.Exact == 0 && text == "0" {
		d.fail(n, fmt.Errorf("%s 0: want a size, or none for one that fits the content", key))
	}
}

// xattrs reads a mapping of names to values.
func (d *decoder) xattrs(n ast.Node, list *[]Xattr, key string) {
	for _, p := range d.pairs(n, key) {
		text, ok := scalarText(d.resolve(p.value))
		if !ok {
			d.wrong(p.value, p.key, "a text, 0x and hexadecimal digits, or 0s and base64")
			continue
		}
		value, err := parseXattrValue(text)
		if err != nil {
			d.fail(p.value, fmt.Errorf("%s %s: %w", p.key, quoted(p.value, text), err))
			continue
		}
		*list = append(*list, Xattr{Name: p.key, Value: value})
	}
}

// list reads a list.
func (d *decoder) list(n ast.Node, v reflect.Value, key string) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.wrong(n, key, "a list")
		return
	}
	for i, item := range seq.Values {
		e := reflect.New(v.Type().Elem()).Elem()
		label, name := d.label(e, item, i), ""
		if label == "" {
			name = strings.TrimSuffix(key, "s")
		}
		d.within(label, func() { d.value(item, e, name) })
		v.Set(reflect.Append(v, e))
	}
}

// labels tell what errors call an item of a list, and which of its keys names it.
var labels = map[reflect.Type]struct {
	kind string
	keys []string
}{
	reflect.TypeFor[Partition](): {"partition", []string{"name"}},
	reflect.TypeFor[Blob]():      {"blob", []string{"name"}},
	reflect.TypeFor[File]():      {"file", []string{"path", "from"}},
	reflect.TypeFor[Override]():  {"override", []string{"match"}},
}

// label returns what errors call the item with index i of a list, "" for nothing
// of its own.
func (d *decoder) label(v reflect.Value, n ast.Node, i int) string {
	l, ok := labels[v.Type()]
	if !ok {
		return ""
	}
	for _, key := range l.keys {
		if m, ok := n.(*ast.MappingNode); ok {
			for _, p := range m.Values {
				if text, ok := scalarText(p.Value); ok && p.Key.GetToken().Value == key {
					return fmt.Sprintf("%s %q", l.kind, text)
				}
			}
		}
	}
	return fmt.Sprintf("%s %d", l.kind, i+1)
}

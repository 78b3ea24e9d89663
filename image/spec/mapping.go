package spec

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// pair is a key of a mapping with its value.
type pair struct {
	key   string
	pos   position
	value ast.Node
}

// maxKeys is how many keys a mapping may have: far more than there are.
const maxKeys = 1000

// pairs returns the keys of a mapping in the order of the file, with those that
// merge keys (<<: *anchor) bring in behind them.
func (d *decoder) pairs(n ast.Node, key string) []pair { return d.merged(n, key, 0) }

func (d *decoder) merged(n ast.Node, key string, depth int) []pair {
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	case nil:
		return nil
	default:
		d.wrong(n, key, "a mapping")
		return nil
	}
	if len(values) > maxKeys {
		d.fail(n, fmt.Errorf("%s: a mapping of %d keys: want at most %d", key, len(values), maxKeys))
		return nil
	}
	var own, others []pair
	for _, v := range values {
		if v.Key.IsMergeKey() {
			if depth == 20 {
				d.fail(v.Key, errors.New("merge keys over 20 deep"))
				return nil
			}
			others = append(others, d.merged(d.resolve(v.Value), "<<", depth+1)...)
			continue
		}
		text, ok := scalarText(v.Key)
		if !ok || v.Key.Type() != ast.StringType {
			d.fail(v.Key, errors.New("want a key that is a word"))
			continue
		}
		if has(own, text) {
			d.fail(v.Key, fmt.Errorf("key %q: it is there twice", text))
			continue
		}
		own = append(own, pair{text, positionOf(v.Key), v.Value})
	}
	for _, o := range others {
		if !has(own, o.key) {
			own = append(own, o)
		}
	}
	return own
}

func has(pairs []pair, key string) bool {
	return slices.ContainsFunc(pairs, func(p pair) bool { return p.key == key })
}

// mapping reads a mapping into a struct, by the tags of its fields.
func (d *decoder) mapping(n ast.Node, v reflect.Value, key string) {
	at := v.Addr().Interface().(interface{ at() *place }).at()
	at.begin, at.keys = positionOf(n), map[string]position{}
	fields := d.fieldsOf(v.Type())
	for _, p := range d.pairs(n, key) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == p.key })
		if i < 0 {
			d.failAt(p.pos, unknownKey(p.key, fields))
			continue
		}
		at.keys[p.key] = positionOf(p.value)
		object := ""
		if v.Field(fields[i].index).Type() == reflect.TypeFor[*Content]() {
			object = p.key
		}
		d.within(object, func() { d.value(p.value, v.Field(fields[i].index), p.key) })
	}
}

// field is a field of a struct that stands for a key.
type field struct {
	key   string
	index int
}

func (d *decoder) fieldsOf(t reflect.Type) []field {
	fields, ok := d.fields[t]
	if !ok {
		fields = fieldsOf(t)
		if d.fields == nil {
			d.fields = map[reflect.Type][]field{}
		}
		d.fields[t] = fields
	}
	return fields
}

func fieldsOf(t reflect.Type) (fields []field) {
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			fields = append(fields, field{key, i})
		}
	}
	return fields
}

// unknownKey returns the error of a key that no field has.
func unknownKey(key string, fields []field) error {
	var keys []string
	for _, f := range fields {
		if similar(key, f.key) {
			return fmt.Errorf("unknown key %q: did you mean %s?", key, f.key)
		}
		keys = append(keys, f.key)
	}
	return fmt.Errorf("unknown key %q: want one of %s", key, strings.Join(keys, ", "))
}

// similar reports whether one typing error, or the writing of compound words,
// makes two keys differ.
func similar(a, b string) bool {
	plain := strings.NewReplacer("_", "", "-", "", " ", "")
	a, b = plain.Replace(strings.ToLower(a)), plain.Replace(b)
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	a, b = a[i:], b[i:] // the first letters in common are away
	switch {
	case len(b) <= 1, len(a) > 0 && a[1:] == b[1:], a == b[1:]:
		return true
	case len(a) >= 2 && len(a) == len(b): // two letters in the wrong order
		return a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:]
	}
	return false
}

package image

import (
	"fmt"
	"strings"
)

// String lists the attributes that are set, separated by commas: "" for none,
// "bit-48" for one without a name.
func (a Attributes) String() string {
	var names []string
	for _, n := range attributeNames {
		if a&n.bit != 0 {
			names = append(names, n.name)
			a &^= n.bit
		}
	}
	for bit := range 64 {
		if a&(1<<bit) != 0 {
			names = append(names, fmt.Sprintf("bit-%d", bit))
		}
	}
	return strings.Join(names, ",")
}

// MarshalText returns what String returns.
func (a Attributes) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText takes what MarshalText gives.
func (a *Attributes) UnmarshalText(text []byte) error {
	*a = 0
	for name := range strings.SplitSeq(string(text), ",") {
		bit, err := parseAttribute(strings.TrimSpace(name))
		if err != nil {
			return err
		}
		*a |= bit
	}
	return nil
}

func parseAttribute(name string) (Attributes, error) {
	if name == "" {
		return 0, nil
	}
	var known []string
	for _, n := range attributeNames {
		if n.name == name {
			return n.bit, nil
		}
		known = append(known, n.name)
	}
	var bit int
	if _, err := fmt.Sscanf(name, "bit-%d", &bit); err == nil && bit >= 0 && bit < 64 && name == fmt.Sprintf("bit-%d", bit) {
		return 1 << bit, nil
	}
	return 0, fmt.Errorf("%q is not an attribute: want one of %s, or bit-N", name, strings.Join(known, ", "))
}

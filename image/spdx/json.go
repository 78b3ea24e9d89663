package spdx

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
)

// The objects of the document, with the names that the schema has for them
// (spdx-schema.json of SPDX 2.3).

type checksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type fileJSON struct {
	ID        string     `json:"SPDXID"`
	Name      string     `json:"fileName"`
	Checksums []checksum `json:"checksums"`
	Comment   string     `json:"comment"`
}

type code struct {
	Value string `json:"packageVerificationCodeValue"`
}

type packageJSON struct {
	ID       string `json:"SPDXID"`
	Name     string `json:"name"`
	Location string `json:"downloadLocation"`
	Analyzed bool   `json:"filesAnalyzed"`
	Code     *code  `json:"packageVerificationCode,omitempty"`
	Comment  string `json:"comment"`
}

type relationship struct {
	Of   string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

const (
	diskID = "SPDXRef-Disk"
	// noAssertion tells that nothing is told of where a package is to be had.
	noAssertion = "NOASSERTION"
)

func partitionID(i int) string { return fmt.Sprintf("SPDXRef-Partition-%d", i+1) }

func fileID(i, k int) string { return fmt.Sprintf("SPDXRef-File-%d-%d", i+1, k) }

// list writes a member of the document that is a list, an item a line.
type list struct {
	w     *bufio.Writer
	items int
	err   error
}

func (l *list) begin(name string) { _, l.err = fmt.Fprintf(l.w, ",\n  %q: [", name) }

func (l *list) item(v any) {
	if l.err != nil {
		return
	}
	separator := ",\n    "
	if l.items == 0 {
		separator = "\n    "
	}
	l.items++
	_, l.err = l.w.WriteString(separator + quote(v))
}

func (l *list) end() error {
	if l.err == nil {
		_, l.err = l.w.WriteString("\n  ]")
	}
	return l.err
}

// quote returns a value in JSON, on a line.
func quote(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings, numbers and lists of them can be encoded
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

package spdx

import (
	"bufio"
	"context"
	"crypto/sha1" // which SPDX wants
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// Image is a disk image whose files are listed.
type Image struct {
	// Name is what the image is called.
	Name string
	// Plan is the plan of the image.
	Plan *image.Plan
	// Trees are the files of its partitions, by index, nil for one that has none.
	// They are sorted, and their contents are read.
	Trees []*filetree.Tree
	// Created is the time of the document.
	Created time.Time
	// Workers is how many files are read at a time. Zero is one for each CPU.
	Workers int
}

// Write writes the document to w. It reads all files, which have to be what they
// were when the trees were made: else it is a [filetree.ErrChanged].
func Write(ctx context.Context, w io.Writer, i Image) error {
	sum := sha1.New()
	b := bufio.NewWriter(io.MultiWriter(w, sum))
	d := &document{ctx: ctx, Image: i, w: b, sum: sum, codes: make([]string, len(i.Plan.Partitions)), counts: make([]int, len(i.Plan.Partitions))}
	for _, step := range []func() error{d.start, d.files, d.packages, d.relationships, d.end} {
		if err := step(); err != nil {
			return err
		}
	}
	return b.Flush()
}

// document is a document that is being written.
type document struct {
	Image
	ctx    context.Context
	w      *bufio.Writer
	sum    hash.Hash // of what has been written
	codes  []string  // the verification code of each partition
	counts []int     // of the files of each partition
}

// start writes what is known beforehand. Namespace and packages, which depend on
// the files, come behind them: JSON knows no order.
func (d *document) start() error {
	_, err := fmt.Fprintf(d.w, `{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": %s,
  "creationInfo": {"created": "%s", "creators": ["Tool: drivebay"]}`, quote(d.Name), d.Created.UTC().Format(time.RFC3339))
	return err
}

// files writes the files of all partitions.
func (d *document) files() error {
	l := &list{w: d.w}
	l.begin("files")
	for i, tree := range d.Trees {
		if tree == nil {
			continue
		}
		var sums []string // of SHA-1
		err := d.hashAll(tree, d.Plan.Partitions[i].Volume.Dropped, func(n filetree.Node, s fileSums) {
			d.counts[i]++
			sums = append(sums, s.sha1)
			l.item(fileJSON{
				ID: fileID(i, d.counts[i]), Name: "./" + strings.ToValidUTF8(n.Path(), "\ufffd"),
				Checksums: []checksum{{"SHA1", s.sha1}, {"SHA256", s.sha256}},
				Comment:   fmt.Sprintf("mode=%04o uid=%d gid=%d size=%d", n.UnixMode()&^filetree.ModeType, n.UID(), n.GID(), n.Size()),
			})
		})
		if err != nil {
			return fmt.Errorf("partition %d: %w", i+1, err)
		}
		d.codes[i] = verificationCode(sums)
	}
	return l.end()
}

// verificationCode is the checksum of the sorted checksums of a package's files
// (SPDX 2.3, 7.9).
func verificationCode(sums []string) string {
	slices.Sort(sums)
	h := sha1.New()
	for _, s := range sums {
		_, _ = io.WriteString(h, s) // never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}

// packages writes the disk and its partitions.
func (d *document) packages() error {
	l := &list{w: d.w}
	l.begin("packages")
	l.item(packageJSON{
		ID: diskID, Name: d.Name, Location: noAssertion,
		Comment: fmt.Sprintf("table=%s sector-size=%d size=%d id=%s", d.Plan.Table, d.Plan.SectorSize, d.Plan.Size, d.Plan.ID),
	})
	for i := range d.Plan.Partitions {
		part := &d.Plan.Partitions[i]
		p := packageJSON{
			ID: partitionID(i), Name: part.Name, Location: noAssertion, Analyzed: d.codes[i] != "",
			Comment: partitionComment(part),
		}
		if p.Name == "" {
			p.Name = fmt.Sprintf("partition %d", part.Number)
		}
		if p.Analyzed {
			p.Code = &code{d.codes[i]}
		}
		l.item(p)
	}
	return l.end()
}

// partitionComment returns what identifies a partition.
func partitionComment(part *image.PlannedPartition) string {
	words := []string{
		fmt.Sprintf("number=%d", part.Number), fmt.Sprintf("start=%d", part.Start), fmt.Sprintf("size=%d", part.Size),
	}
	add := func(key, value string) {
		if value != "" {
			words = append(words, fmt.Sprintf("%s=%s", key, value))
		}
	}
	add("type", string(part.Type))
	if part.ID != uuid.Nil {
		add("id", part.ID.String())
	}
	add("format", part.Volume.Format)
	add("uuid", part.Volume.UUID)
	if part.Volume.Label != "" {
		add("label", fmt.Sprintf("%q", part.Volume.Label))
	}
	return strings.Join(words, " ")
}

// relationships writes what contains what.
func (d *document) relationships() error {
	l := &list{w: d.w}
	l.begin("relationships")
	l.item(relationship{"SPDXRef-DOCUMENT", "DESCRIBES", diskID})
	for i := range d.Plan.Partitions {
		l.item(relationship{diskID, "CONTAINS", partitionID(i)})
		for k := range d.counts[i] {
			l.item(relationship{partitionID(i), "CONTAINS", fileID(i, k+1)})
		}
	}
	return l.end()
}

// end writes the namespace: one of its own for each document that says something
// else.
func (d *document) end() error {
	if err := d.w.Flush(); err != nil {
		return err
	}
	id := volume.Derive(uuid.Nil, string(d.sum.Sum(nil)))
	_, err := fmt.Fprintf(d.w, ",\n  \"documentNamespace\": \"urn:uuid:%s\"\n}\n", id)
	return err
}

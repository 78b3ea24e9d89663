package image

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/verity"
)

// listing is what a disk looks like in print, whether it is planned or has been
// read.
type listing struct {
	Table      string   `json:"table"`
	SectorSize int      `json:"sectorSize"`
	Size       int64    `json:"size"`
	ID         string   `json:"id,omitempty"`
	Partitions []row    `json:"partitions"`
	Notes      []string `json:"notes,omitempty"`
}

// row is a partition in print.
type row struct {
	Number     int          `json:"number"`
	Name       string       `json:"name,omitempty"`
	Type       Type         `json:"type,omitempty"`
	ID         string       `json:"id,omitempty"`
	Start      int64        `json:"start"`
	Size       int64        `json:"size"`
	Attributes Attributes   `json:"attributes,omitempty"`
	HybridType Type         `json:"hybridType,omitempty"`
	Format     string       `json:"format,omitempty"`
	Label      string       `json:"label,omitempty"`
	UUID       string       `json:"uuid,omitempty"`
	Used       int64        `json:"used,omitempty"`
	Files      int64        `json:"files,omitempty"`
	Dropped    []string     `json:"dropped,omitempty"`
	Verity     *hashTreeRow `json:"verity,omitempty"`
}

// hashTreeRow is a hash tree in print.
type hashTreeRow struct {
	Of            int    `json:"of,omitempty"`
	Algorithm     string `json:"algorithm"`
	DataBlocks    int64  `json:"dataBlocks"`
	DataBlockSize int    `json:"dataBlockSize"`
	HashBlockSize int    `json:"hashBlockSize"`
	Salt          string `json:"salt"`
	RootHash      string `json:"rootHash,omitempty"`
}

func newHashTreeRow(s *verity.Superblock) *hashTreeRow {
	if s == nil {
		return nil
	}
	return &hashTreeRow{
		Algorithm: s.Algorithm, DataBlocks: s.DataBlocks, DataBlockSize: s.DataBlockSize, HashBlockSize: s.HashBlockSize,
		Salt: hex.EncodeToString(s.Salt),
	}
}

// String returns what is said of the tree on a line.
func (h *hashTreeRow) String() string {
	of := ""
	if h.Of != 0 {
		of = fmt.Sprintf(" of partition %d", h.Of)
	}
	s := fmt.Sprintf("hash tree%s: %s, %d blocks of %d bytes in blocks of %d, salt %s", of, h.Algorithm, h.DataBlocks, h.DataBlockSize, h.HashBlockSize, dash(h.Salt))
	if h.RootHash != "" {
		s += ", root hash " + h.RootHash
	}
	return s
}

// String returns the listing as a table.
func (l listing) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s disk of %s, sectors of %d bytes", l.Table, formatSize(l.Size), l.SectorSize)
	if l.ID != "" {
		fmt.Fprintf(&b, ", ID %s", l.ID)
	}
	b.WriteByte('\n')
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "#\tname\ttype\tstart\tsize\tformat\tlabel\tfiles\tused\tattributes")
	for _, r := range l.Partitions {
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Number, dash(r.Name), dash(string(r.Type)),
			r.Start, formatSize(r.Size), dash(r.Format), dash(r.Label), dash(count(r.Files)), dash(used(r.Used)), dash(r.Attributes.String()))
	}
	_ = w.Flush() // to memory
	for _, r := range l.Partitions {
		if r.HybridType != "" {
			fmt.Fprintf(&b, "partition %d is in the hybrid MBR, too, as %s\n", r.Number, r.HybridType)
		}
		if r.Verity != nil {
			fmt.Fprintf(&b, "partition %d holds a %s\n", r.Number, r.Verity)
		}
		for _, d := range r.Dropped {
			fmt.Fprintf(&b, "partition %d leaves out %s\n", r.Number, d)
		}
	}
	for _, n := range l.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	return b.String()
}

// String returns the plan as a table: a line for the disk, one for each
// partition.
func (p *Plan) String() string { return p.listing().String() }

// MarshalJSON returns the plan as an object with the keys table, sectorSize, size,
// id and partitions, and each of these with number, name, type, id, start, size,
// attributes, hybridType, format, label, uuid, used, files, dropped and verity, which
// has the keys of, algorithm, dataBlocks, dataBlockSize, hashBlockSize, salt and
// rootHash. Sizes are in bytes. IDs that are to come of a root hash are left out.
func (p *Plan) MarshalJSON() ([]byte, error) { return json.Marshal(p.listing()) }

func (p *Plan) listing() listing {
	l := listing{Table: p.Table.String(), SectorSize: p.SectorSize, Size: p.Size, Partitions: []row{}}
	switch p.Table {
	case GPT:
		l.ID = p.ID.String()
	case MBR:
		l.ID = signature(p.ID)
	}
	for _, part := range p.Partitions {
		r := row{
			Number: part.Number, Name: part.Name, Type: part.Type, Start: part.Start, Size: part.Size,
			Attributes: part.Attributes, Format: part.Volume.Format, Label: part.Volume.Label, UUID: part.Volume.UUID,
			Used: part.Volume.Used, Files: part.Volume.Files, Dropped: part.Volume.Dropped,
			Verity: newHashTreeRow(part.Verity),
		}
		if p.Table == GPT {
			if part.ID != uuid.Nil {
				r.ID = part.ID.String()
			}
			if part.mbrType != 0 {
				r.HybridType = Type(fmt.Sprintf("%#02x", part.mbrType))
			}
		}
		l.Partitions = append(l.Partitions, r)
	}
	for _, t := range p.trees {
		l.Partitions[t.hash].Verity.Of = t.data + 1
		l.Notes = append(l.Notes, t.notes()...)
	}
	return l
}

// formatSize returns a size in the largest binary unit of which it is a whole
// number, or with one decimal where there is none.
func formatSize(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	u, f := 0, float64(n)
	for u+1 < len(units) && f >= 1024 {
		u, f = u+1, f/1024
	}
	if f == float64(int64(f)) {
		return fmt.Sprintf("%d %s", int64(f), units[u])
	}
	return fmt.Sprintf("%.1f %s", f, units[u])
}

func used(n int64) string {
	if n == 0 {
		return ""
	}
	return formatSize(n)
}

func count(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

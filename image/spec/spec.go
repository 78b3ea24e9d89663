package spec

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/squashfs"
)

// The largest spec, and the longest line of one that is not JSON, in bytes. go-yaml
// 1.19.2 takes some hundred bytes of memory for each byte, and where it is not YAML
// after all, a time that grows with the square of a line's length: 4 s for the
// longest.
const (
	maxFile = 1 << 20
	maxLine = 64 << 10
)

// Spec describes a disk, as its file does. What is left out is zero; what zero
// means is what it means in an [image.Layout].
type Spec struct {
	Table      image.Table `yaml:"table"`
	SectorSize int         `yaml:"sector-size"`
	Size       Size        `yaml:"size"`
	Align      Size        `yaml:"align"`
	Seed       uuid.UUID   `yaml:"seed"`
	Time       time.Time   `yaml:"time"`
	ID         DiskID      `yaml:"id"`
	Partitions []Partition `yaml:"partitions"`
	Blobs      []Blob      `yaml:"blobs"`

	file, dir string // its name, and where relative paths begin
	place
}

// Partition describes a partition.
type Partition struct {
	Name       string             `yaml:"name"`
	Type       image.Type         `yaml:"type"`
	ID         uuid.UUID          `yaml:"id"`
	Start      Size               `yaml:"start"`
	Size       Extent             `yaml:"size"`
	Free       Free               `yaml:"free"`
	Weight     int                `yaml:"weight"`
	Attributes []image.Attributes `yaml:"attributes"`
	HybridType image.Type         `yaml:"hybrid-type"`
	Split      string             `yaml:"split"`
	Content    *Content           `yaml:"content"`

	place
}

// Content describes what a partition holds. Which keys a format has besides
// Format is in the documentation of the package.
type Content struct {
	Format          string               `yaml:"format"`
	Label           string               `yaml:"label"`
	UUID            uuid.UUID            `yaml:"uuid"`
	VolumeID        VolumeID             `yaml:"volume-id"`
	Files           []File               `yaml:"files"`
	File            string               `yaml:"file"`
	BlockSize       Size                 `yaml:"block-size"`
	Inodes          int64                `yaml:"inodes"`
	Journal         Journal              `yaml:"journal"`
	Reserved        Percent              `yaml:"reserved"`
	FATType         int                  `yaml:"fat-type"`
	ClusterSize     Size                 `yaml:"cluster-size"`
	DropUnsupported bool                 `yaml:"drop-unsupported"`
	Compression     squashfs.Compression `yaml:"compression"`
	Level           int                  `yaml:"level"`
	Tails           squashfs.Tails       `yaml:"tails"`
	Deduplicate     bool                 `yaml:"deduplicate"`
	PageSize        Size                 `yaml:"page-size"`
	Options         []string             `yaml:"options"`
	Joliet          bool                 `yaml:"joliet"`
	RockRidge       bool                 `yaml:"rock-ridge"`
	MapNames        bool                 `yaml:"map-names"`
	Boot            []BootImage          `yaml:"boot"`
	Hybrid          bool                 `yaml:"hybrid"`
	BootCode        string               `yaml:"boot-code"`
	Of              string               `yaml:"of"`
	Algorithm       string               `yaml:"algorithm"`
	DataBlockSize   Size                 `yaml:"data-block-size"`
	HashBlockSize   Size                 `yaml:"hash-block-size"`
	Salt            Salt                 `yaml:"salt"`
	Key             string               `yaml:"key"`
	Certificate     string               `yaml:"certificate"`

	place
}

// Blob describes a content at a fixed place outside the partitions.
type Blob struct {
	Name   string `yaml:"name"`
	Offset Size   `yaml:"offset"`
	File   string `yaml:"file"`
	Format string `yaml:"format"`
	Core   Size   `yaml:"core"`

	place
}

// duplicatesLast is the value of File.Duplicates.
const duplicatesLast = "last"

// File describes files of a content: those of a source (From), or a single one
// (Path). Later ones win.
type File struct {
	From      string     `yaml:"from"`
	To        string     `yaml:"to"`
	Exclude   []string   `yaml:"exclude"`
	Override  []Override `yaml:"override"`
	Whiteouts bool       `yaml:"whiteouts"`
	// Duplicates is "last" for an archive of which the last member of a name
	// counts. Zero refuses one that has a name twice.
	Duplicates string `yaml:"duplicates"`

	Path      string  `yaml:"path"`
	Text      *string `yaml:"text"`
	File      string  `yaml:"file"`
	Directory bool    `yaml:"directory"`
	Symlink   string  `yaml:"symlink"`
	Link      string  `yaml:"link"`
	Device    *Device `yaml:"device"`
	FIFO      bool    `yaml:"fifo"`
	UKI       *UKI    `yaml:"uki"`
	Sign      *Sign   `yaml:"sign"`
	Xattrs    []Xattr `yaml:"xattrs"`

	Owner   *Owner    `yaml:"owner"`
	Mode    *Mode     `yaml:"mode"`
	DirMode *Mode     `yaml:"dir-mode"`
	Time    time.Time `yaml:"time"`

	place
}

// Override changes the metadata of those files of a source that match a pattern.
type Override struct {
	Match   string    `yaml:"match"`
	Owner   *Owner    `yaml:"owner"`
	Mode    *Mode     `yaml:"mode"`
	DirMode *Mode     `yaml:"dir-mode"`
	Time    time.Time `yaml:"time"`

	place
}

// Load reads the spec in the file name. Relative paths in it begin at the file's
// directory.
func Load(name string) (*Spec, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Parse(name, f, filepath.Dir(name))
}

// Parse reads a spec of at most 1 MiB from r. Errors call it name; relative
// paths in it begin at dir. What is wrong is told by errors of type [*Error], all
// of them joined.
func Parse(name string, r io.Reader, dir string) (*Spec, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, &Error{File: name, Err: err}
	case len(b) > maxFile:
		return nil, &Error{File: name, Err: fmt.Errorf("spec is over %d bytes long: want less; files with much text are better named by file than given by text", maxFile)}
	}
	d := &decoder{file: name}
	s := &Spec{file: name, dir: dir}
	d.document(b, s)
	if len(d.errs) == 0 {
		d.check(s)
	}
	if err := joinErrors(d.errs); err != nil {
		return nil, err
	}
	return s, nil
}

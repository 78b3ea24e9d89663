package spdx_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/spdx"
	"github.com/drivebay/drivebay/image/swap"
)

var created = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// disk returns an image of a partition with files and one without.
func disk(t testing.TB, tree *filetree.Tree) spdx.Image {
	t.Helper()
	l := image.Layout{Seed: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001"), Time: created, Partitions: []image.Partition{
		{Name: "root", Type: image.Root, Content: &ext4.FileSystem{Tree: tree, Label: "the root"}},
		{Type: image.Swap, Size: image.MiB, Content: &swap.Space{}},
	}}
	p, err := l.Plan(t.Context())
	require.NoError(t, err)
	return spdx.Image{Name: "disk.img", Plan: p, Trees: []*filetree.Tree{tree, nil}, Created: created}
}

func files(t testing.TB) *filetree.Tree {
	t.Helper()
	tree := filetree.New()
	for path, e := range map[string]filetree.Entry{
		"etc/hostname":  filetree.File([]byte("drivebay\n"), 0o644),
		"etc/empty":     filetree.File(nil, 0o600),
		"etc/a <b> & c": filetree.File([]byte("x"), 0o755|os.ModeSetuid),
		"bin":           filetree.Symlink("usr/bin"),
		"no\xfftext":    filetree.File([]byte("y"), 0o644),
	} {
		e.UID, e.GID = 1000, 100
		_, err := tree.Add(path, e)
		require.NoError(t, err)
	}
	_, err := tree.Link("etc/name", "etc/hostname")
	require.NoError(t, err)
	return tree
}

// document is what is read of a document.
type document struct {
	SPDXVersion, DataLicense, SPDXID, Name, DocumentNamespace string
	CreationInfo                                              struct {
		Created  string
		Creators []string
	}
	Files []struct {
		SPDXID, FileName, Comment string
		Checksums                 []struct{ Algorithm, ChecksumValue string }
	}
	Packages []struct {
		SPDXID, Name, DownloadLocation, Comment string
		FilesAnalyzed                           bool
		PackageVerificationCode                 struct{ PackageVerificationCodeValue string }
	}
	Relationships []struct{ SPDXElementID, RelationshipType, RelatedSPDXElement string }
}

func write(t testing.TB, i spdx.Image) (string, document) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, spdx.Write(t.Context(), &b, i))
	var d document
	dec := json.NewDecoder(bytes.NewReader(b.Bytes()))
	dec.DisallowUnknownFields() // which the schema does not allow either
	require.NoError(t, dec.Decode(&d), b.String())
	return b.String(), d
}

// TestWrite wants the files with what sha1sum and sha256sum say of them.
func TestWrite(t *testing.T) {
	text, d := write(t, disk(t, files(t)))
	require.Equal(t, "SPDX-2.3 CC0-1.0 SPDXRef-DOCUMENT disk.img 2026-01-31T12:00:00Z",
		strings.Join([]string{d.SPDXVersion, d.DataLicense, d.SPDXID, d.Name, d.CreationInfo.Created}, " "))
	var list []string
	for _, f := range d.Files {
		list = append(list, f.SPDXID+" "+f.FileName+" "+f.Comment)
	}
	require.Equal(t, []string{
		"SPDXRef-File-1-1 ./etc/a <b> & c mode=4755 uid=1000 gid=100 size=1",
		"SPDXRef-File-1-2 ./etc/empty mode=0600 uid=1000 gid=100 size=0",
		"SPDXRef-File-1-3 ./etc/hostname mode=0644 uid=1000 gid=100 size=9",
		"SPDXRef-File-1-4 ./etc/name mode=0644 uid=1000 gid=100 size=9",
		"SPDXRef-File-1-5 ./no\ufffdtext mode=0644 uid=1000 gid=100 size=1",
	}, list)
	require.Equal(t, checksum(t, "sha1sum", "drivebay\n"), d.Files[2].Checksums[0].ChecksumValue)
	require.Equal(t, checksum(t, "sha256sum", "drivebay\n"), d.Files[2].Checksums[1].ChecksumValue)

	require.Len(t, d.Packages, 3)
	require.Equal(t, "SPDXRef-Partition-1 root true", fmt.Sprint(d.Packages[1].SPDXID, " ", d.Packages[1].Name, " ", d.Packages[1].FilesAnalyzed))
	require.Contains(t, d.Packages[1].Comment, "number=1 start=1048576 size=")
	require.Contains(t, d.Packages[1].Comment, ` format=ext4 uuid=`)
	require.Contains(t, d.Packages[1].Comment, ` label="the root"`)
	require.Equal(t, "SPDXRef-Partition-2 partition 2 false", fmt.Sprint(d.Packages[2].SPDXID, " ", d.Packages[2].Name, " ", d.Packages[2].FilesAnalyzed))
	var sums []string
	for _, f := range d.Files {
		sums = append(sums, f.Checksums[0].ChecksumValue)
	}
	sort.Strings(sums)
	require.Equal(t, fmt.Sprintf("%x", sha1.Sum([]byte(strings.Join(sums, "")))), d.Packages[1].PackageVerificationCode.PackageVerificationCodeValue)
	require.Len(t, d.Relationships, 1+2+5)
	require.True(t, strings.HasPrefix(d.DocumentNamespace, "urn:uuid:"))
	ids := run(t, text, fixture.RequireTool(t, "jq"), "-r", `[.relationships[].relatedSpdxElement] - [.files[].SPDXID, .packages[].SPDXID] | length`)
	require.Equal(t, "0\n", ids, "relationships to nothing")

	again, _ := write(t, disk(t, files(t)))
	require.Equal(t, text, again)
	one := disk(t, files(t))
	one.Workers = 1
	again, _ = write(t, one)
	require.Equal(t, text, again)
	_, other := write(t, disk(t, filetree.New()))
	require.NotEqual(t, d.DocumentNamespace, other.DocumentNamespace)
}

// run runs a program with an input and returns what it prints.
func run(t testing.TB, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

func checksum(t testing.TB, tool, content string) string {
	t.Helper()
	return strings.Fields(run(t, content, fixture.RequireTool(t, tool)))[0]
}

// TestWriteMany wants files of several batches in their order.
func TestWriteMany(t *testing.T) {
	tree := filetree.New()
	for i := range 3000 {
		_, err := tree.Add(fmt.Sprintf("%04d", i), filetree.File([]byte(fmt.Sprint(i)), 0o644))
		require.NoError(t, err)
	}
	_, d := write(t, disk(t, tree))
	require.Len(t, d.Files, 3000)
	for i, f := range d.Files {
		require.Equal(t, fmt.Sprintf("./%04d", i), f.FileName)
		require.Equal(t, fmt.Sprintf("%x", sha1.Sum([]byte(fmt.Sprint(i)))), f.Checksums[0].ChecksumValue)
	}
}

// TestWriteHoles wants the zeros of holes to be hashed.
func TestWriteHoles(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "sparse"))
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("data"), 1<<20)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(3<<20+1))
	require.NoError(t, f.Close())
	tree, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer tree.Close()
	_, d := write(t, disk(t, tree))
	require.Equal(t, strings.Fields(run(t, "", fixture.RequireTool(t, "sha256sum"), f.Name()))[0], d.Files[0].Checksums[1].ChecksumValue)
}

func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(name, []byte("before"), 0o644))
	tree, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer tree.Close()
	i := disk(t, tree)
	require.NoError(t, os.WriteFile(name, []byte("changed"), 0o644))
	err = spdx.Write(t.Context(), &bytes.Buffer{}, i)
	require.ErrorIs(t, err, filetree.ErrChanged)
	require.ErrorContains(t, err, "partition 1: ")

	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	require.ErrorIs(t, spdx.Write(ctx, &bytes.Buffer{}, disk(t, files(t))), stop)
}

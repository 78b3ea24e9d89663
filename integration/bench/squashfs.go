package main

import (
	"fmt"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/squashfs"
)

// squashfsGroup is the contest of one way to compress.
func squashfsGroup(compression string, level int) *group {
	g := &group{
		name: "squashfs-" + compression, peer: "mksquashfs", judge: "unsquashfs", check: checkSquashfs,
		title: "one compressed file system, by " + compression,
	}
	mksquashfs := fmt.Sprintf(`-comp %s -Xcompression-level %d`, compression, level)
	if compression == "none" {
		g.title = "one file system, not compressed"
		mksquashfs = `-noI -noD -noF -noX`
	}
	g.entries = []*contender{
		{name: floor, child: []string{"pack", "TREE"}},
		{name: "drivebay", child: []string{g.name}},
		{name: "mksquashfs", tools: []string{"mksquashfs"}, script: `
			mksquashfs "$TREE" "$OUT" -noappend -quiet -no-progress ` + mksquashfs},
	}
	if compression != "none" { // which it does not have
		g.entries = append(g.entries, &contender{name: "gensquashfs", tools: []string{"gensquashfs"}, script: fmt.Sprintf(`
			gensquashfs --pack-dir "$TREE" -c %s -X level=%d --keep-time --keep-xattr --quiet "$OUT"`, compression, level)})
	}
	return g
}

// checkSquashfs has the contents of all files compared, but for the one that is
// nearly all hole. Unpacking them would leave thousands of files to be removed.
const checkSquashfs = `
	unsquashfs -s "$OUT"
	mkdir "$SCRATCH"
	(cd "$TREE"; find . -type f -size -1048576k -printf '%P\0') | sort -z > "$SCRATCH/files"
	(cd "$TREE"; xargs -0 cat < "$SCRATCH/files" | sha256sum) > "$SCRATCH/want"
	xargs -0 unsquashfs -cat "$OUT" < "$SCRATCH/files" | sha256sum > "$SCRATCH/got"
	cmp "$SCRATCH/want" "$SCRATCH/got"`

// newSquashfs is our own contender.
func newSquashfs(compression string, tree *filetree.Tree) (*squashfs.FileSystem, error) {
	c, err := squashfs.ParseCompression(compression)
	return &squashfs.FileSystem{Tree: tree, Compression: c}, err
}

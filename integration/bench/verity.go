package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/verity"
	"github.com/drivebay/drivebay/image/volume"
)

// What the contenders for a hash tree are told, so that they make the same one.
const (
	veritySalt  = "salt"
	verityUUID  = "8f1c2c3e-0000-4000-8000-000000000001"
	veritysetup = `veritysetup format "$TREE"/*/*/* --salt 73616c74 --uuid ` + verityUUID
)

// verityGroup is the contest for the hash tree of a volume, which is the only file
// of a tree. Its floor is what SHA-256 takes on one CPU.
func (w *work) verityGroup() *group {
	volume := func(of string) spec { return spec{dir: w.path("volume of " + of), size: w.tree.size, files: 1} }
	return &group{
		name: "verity", title: "the hash tree of a volume of " + (*bytesFlag)(&w.tree.size).String(), peer: "veritysetup",
		judge: "veritysetup", check: veritysetup + ` "$SCRATCH"; cmp "$SCRATCH" "$OUT"`,
		entries: []*contender{
			{name: floor, child: []string{"sha256"}, tree: volume(floor)},
			{name: "drivebay", child: []string{"verity"}, tree: volume("drivebay")},
			{name: "veritysetup", tools: []string{"veritysetup"}, script: veritysetup + ` "$OUT"`, tree: volume("veritysetup")},
		},
	}
}

// openVolume opens the only file of the tree.
func openVolume() (*os.File, error) {
	names, err := filepath.Glob(filepath.Join(os.Getenv("TREE"), "*", "*", "*"))
	if err != nil {
		return nil, err
	}
	if len(names) != 1 {
		return nil, fmt.Errorf("%d files in %s: want one", len(names), os.Getenv("TREE"))
	}
	return os.Open(names[0])
}

// sumVolume is the floor.
func sumVolume() error {
	f, err := openVolume()
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{sha256.New()}, f, make([]byte, 1<<20))
	return err
}

// hashVolume is our own contender.
func hashVolume(ctx context.Context, out string) error {
	f, err := openVolume()
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h, err := verity.NewHasher(verity.Params{Salt: []byte(veritySalt), UUID: uuid.MustParse(verityUUID)}, info.Size(), filepath.Dir(out))
	if err != nil {
		return err
	}
	defer h.Close()
	w := volume.NewWriter(h, info.Size())
	defer w.Close()
	if err := errors.Join(w.ReadN(f, info.Size()), w.Flush()); err != nil {
		return err
	}
	tree, err := h.Tree()
	if err != nil {
		return err
	}
	return writeHashTree(ctx, tree, out)
}

// writeHashTree writes a hash tree to a file.
func writeHashTree(ctx context.Context, tree *verity.Tree, out string) error {
	defer tree.Close()
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	w := volume.NewWriter(f, tree.Size())
	defer w.Close()
	return errors.Join(tree.Write(ctx, w), w.Flush())
}

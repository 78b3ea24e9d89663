package verity

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/drivebay/drivebay/image/volume"
)

// RootHash is the hash at the root of a hash tree: what the kernel has to be told
// to trust the data.
type RootHash []byte

// String returns the hash in hexadecimal, as veritysetup takes it, and systemd's
// roothash= on the kernel's command line.
func (r RootHash) String() string { return hex.EncodeToString(r) }

// Tree is the hash tree of data that a [Hasher] has seen.
type Tree struct {
	superblock Superblock
	size       int64
	root       RootHash
	levels     []*level
}

// RootHash returns the hash at the root.
func (t *Tree) RootHash() RootHash { return bytes.Clone(t.root) }

// Size returns the size in bytes of what Write writes.
func (t *Tree) Size() int64 { return t.size }

// Close gives the tree up. It may be called again.
func (t *Tree) Close() error { return closeLevels(t.levels) }

// Write writes the superblock and, from the root down, the levels of the tree. It
// may be called again.
func (t *Tree) Write(ctx context.Context, w *volume.Writer) error {
	if _, err := w.Write(t.superblock.encode()); err != nil {
		return err
	}
	block := int64(t.superblock.HashBlockSize)
	if err := w.SkipTo(max(superblockSize, block)); err != nil {
		return err
	}
	for _, l := range slices.Backward(t.levels) {
		if err := l.write(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// ReadTree reads the superblock of a hash tree, and its topmost block, of which the
// root hash is: that of the data if the tree is. A tree of a single data block has
// no blocks, and nil is its root hash. What is no tree is an [ErrSuperblock].
func ReadTree(r io.ReaderAt) (Superblock, RootHash, error) {
	b := make([]byte, superblockSize)
	if n, err := r.ReadAt(b, 0); n < len(b) {
		return Superblock{}, nil, fmt.Errorf("verity: superblock: %w", err)
	}
	s, err := ParseSuperblock(b)
	if err != nil || s.DataBlocks == 1 {
		return s, nil, err
	}
	top := make([]byte, s.HashBlockSize)
	if n, err := r.ReadAt(top, int64(max(superblockSize, s.HashBlockSize))); n < len(top) {
		return s, nil, fmt.Errorf("verity: topmost hash block: %w", err)
	}
	return s, s.newSummer().sum(nil, top), nil
}

// step is how many bytes are written between two looks at the context.
const step = 1 << 20

func (l *level) write(ctx context.Context, w *volume.Writer) error {
	kept := l.reader()
	for _, r := range l.runs {
		for left := r.kept; left > 0; left -= min(left, step) {
			if err := w.Err(ctx); err != nil {
				return err
			}
			if err := w.ReadN(kept, min(left, step)); err != nil {
				return err
			}
		}
		for n := range r.zeroBlocks {
			if n%(step/minBlockSize) == 0 {
				if err := w.Err(ctx); err != nil {
					return err
				}
			}
			if _, err := w.Write(l.zeroBlock); err != nil {
				return err
			}
		}
	}
	return nil
}

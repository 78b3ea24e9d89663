package spdx

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/drivebay/drivebay/image/filetree"
)

// batchSize is how many files are hashed before they are listed.
const batchSize = 1024

// fileSums are the checksums of a file, in hexadecimal.
type fileSums struct{ sha1, sha256 string }

// hashAll hashes the regular files of a tree and calls fn for each of them, in the
// tree's order.
func (d *document) hashAll(tree *filetree.Tree, dropped []string, fn func(filetree.Node, fileSums)) error {
	tree.Sort()
	batch := make([]filetree.Node, 0, batchSize)
	flush := func() error {
		sums, err := d.hashBatch(batch)
		if err != nil {
			return err
		}
		for i, n := range batch {
			fn(n, sums[i])
		}
		batch = batch[:0]
		return nil
	}
	err := tree.Walk(func(n filetree.Node) error {
		if n.UnixMode()&filetree.ModeType != filetree.ModeRegular || isDropped(n, dropped) {
			return nil
		}
		batch = append(batch, n)
		if len(batch) == cap(batch) {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// isDropped reports whether a file is among those that the format could not hold,
// of which each line begins with the path.
func isDropped(n filetree.Node, dropped []string) bool {
	return len(dropped) > 0 && slices.ContainsFunc(dropped, func(line string) bool { return strings.HasPrefix(line, n.Path()+": ") })
}

// hashBatch hashes files on several CPUs.
func (d *document) hashBatch(batch []filetree.Node) ([]fileSums, error) {
	workers := d.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancelCause(d.ctx)
	defer cancel(nil)
	sums := make([]fileSums, len(batch))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, len(batch)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(batch)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				s, err := hashFile(ctx, batch[i])
				if err != nil {
					cancel(err)
				}
				sums[i] = s
			}
		})
	}
	wg.Wait()
	return sums, context.Cause(ctx)
}

// zeros is what holes read as.
var zeros [64 << 10]byte

// hashFile hashes the content of a file, with the zeros of its holes.
func hashFile(ctx context.Context, n filetree.Node) (fileSums, error) {
	h1, h256 := sha1.New(), sha256.New()
	w := io.MultiWriter(h1, h256)
	pos := int64(0)
	skipTo := func(off int64) error {
		for pos < off {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			k, _ := w.Write(zeros[:min(off-pos, int64(len(zeros)))]) // never fails
			pos += int64(k)
		}
		return nil
	}
	err := n.Stream(func(r io.Reader, at filetree.Range) error {
		if err := skipTo(at.Offset); err != nil {
			return err
		}
		k, err := io.CopyN(w, contextReader{ctx, r}, at.Length)
		pos += k
		return err
	})
	if err == nil {
		err = skipTo(n.Size())
	}
	if err != nil {
		return fileSums{}, fmt.Errorf("%s: %w", n.Path(), err)
	}
	return fileSums{hex.EncodeToString(h1.Sum(nil)), hex.EncodeToString(h256.Sum(nil))}, nil
}

// contextReader is a reader that ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

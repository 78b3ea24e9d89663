package sample

import (
	"context"
	"errors"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// Hostname is a tree of a file with owner, an extended attribute and two names.
func Hostname() (*filetree.Tree, error) {
	tree := filetree.New()
	e := filetree.File([]byte("drivebay\n"), 0o640)
	e.UID, e.Xattrs = 1000, []filetree.Xattr{{Name: "user.note", Value: []byte("an example")}}
	if _, err := tree.Add("etc/hostname", e); err != nil {
		return nil, err
	}
	_, err := tree.Link("etc/mailname", "etc/hostname")
	return tree, err
}

// Image returns the smallest volume for a content.
func Image(ctx context.Context, c volume.Content) ([]byte, error) {
	plan, err := c.Plan(ctx, volume.Geometry{SectorSize: 512})
	if err != nil {
		return nil, err
	}
	image := make(memory, plan.Info().Size)
	w := volume.NewWriter(image, int64(len(image)))
	return image, errors.Join(plan.Write(ctx, w), w.Flush(), w.Close())
}

// memory is a volume in memory.
type memory []byte

func (m memory) WriteAt(b []byte, off int64) (int, error) { return copy(m[off:], b), nil }

package main

import (
	"bufio"
	"context"
	"path/filepath"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/spdx"
)

// addManifest adds the list of the files in the image. It is made when the image is
// written, of the same sources, which are still to be what they were.
func (c *companions) addManifest(p *image.Plan, d *description, o *buildOptions) error {
	created := d.Time
	if created.IsZero() {
		var err error
		if created, err = image.SourceDate(); err != nil {
			return err
		}
	}
	i := spdx.Image{Name: filepath.Base(o.out), Plan: p, Trees: d.trees(), Created: created}
	if o.out == "-" {
		i.Name = "disk"
	}
	return c.add(o.manifest, &companion{complete: func(ctx context.Context, w *bufio.Writer) error {
		return spdx.Write(ctx, w, i)
	}})
}

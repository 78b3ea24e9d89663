package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/drivebay/drivebay/fixture/mount"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/loop"
)

// attach attaches the image, mounts its file systems and compares what the kernel
// finds in them.
func (q *quickstart) attach(ctx context.Context) error {
	if os.Geteuid() != 0 {
		fmt.Fprintln(q.out, "not attached, not mounted: that needs root. As root, the same command goes on from here:")
		fmt.Fprintln(q.out, `    sudo -E env "PATH=$PATH" go run ./examples/quickstart`)
		return nil
	}
	done := q.step("attach it to a loop device")
	file, err := os.OpenFile(q.name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	device, err := loop.Attach(ctx, file, loop.Options{BlockSize: q.plan.SectorSize, Tag: "quickstart"})
	if err != nil {
		return err
	}
	defer device.Close()
	parts, err := device.Partitions(ctx)
	if err != nil {
		return err
	}
	done("%s with %d partitions", device, len(parts))
	for _, part := range parts {
		if err := q.mount(ctx, part); err != nil {
			return err
		}
	}
	done = q.step("detach it")
	if err := device.Close(); err != nil {
		return err
	}
	left, err := loop.Find(file)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("%s is still attached to %s", q.name, left[0].Name)
	}
	done("no device and no mount is left")
	return nil
}

// mount mounts a partition. Of the root it compares every file with the source.
func (q *quickstart) mount(ctx context.Context, part loop.Partition) error {
	planned := q.plan.Partitions[part.Number-1]
	done := q.step(fmt.Sprintf("mount %s (%s), detached: no mount table shows it", part.Path(), planned.Name))
	m, err := mount.New(planned.Volume.Format, part.Path(), mount.Options{})
	if errors.Is(err, errors.ErrUnsupported) {
		done("left out: %v", err)
		return nil
	} else if err != nil {
		return err
	}
	defer m.Close()
	got, err := filetree.FromDir(m.Path())
	if err != nil {
		return err
	}
	if planned.Name != "root" {
		done("%d names", got.Len())
		return m.Close()
	}
	n, err := q.compare(ctx, got)
	if err != nil {
		return err
	}
	done("%d names compared once more, as the kernel sees them", n)
	return closed(m, got)
}

// closed closes a mount that nothing may keep busy.
func closed(m *mount.Mount, trees ...*filetree.Tree) error {
	for _, t := range trees {
		if err := t.Close(); err != nil {
			return err
		}
	}
	return m.Close()
}

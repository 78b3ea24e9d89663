//go:build !linux

package main

import (
	"context"
	"fmt"
)

// attach tells why there is nothing to attach.
func (q *quickstart) attach(context.Context) error {
	fmt.Fprintln(q.out, "not attached, not mounted: loop devices are Linux's. Run the same command there, as root.")
	return nil
}

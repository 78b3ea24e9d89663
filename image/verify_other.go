//go:build !linux

package image

import "os"

// dataRange takes all for data.
func dataRange(_ *os.File, pos, end int64) (start, stop int64) { return pos, end }

package initramfs

import "errors"

// ErrFormat is wrapped by the errors of a [Reader] that meets bytes which no newc
// archive has.
var ErrFormat = errors.New("not a newc archive")

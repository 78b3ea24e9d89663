package erofs_test

import (
	"testing"

	"github.com/drivebay/drivebay/image/erofs"
)

func TestFsckExtractsEverything(t *testing.T) {
	tr := everything(t)
	addLongXattrs(t, tr)
	requireSame(t, tr, extract(t, write(t, &erofs.FileSystem{Tree: tr}, 0)))
}

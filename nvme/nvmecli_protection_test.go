package nvme_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
)

// The storage tag and the reference tag go where nvme-cli puts them, for each size
// of guard. Of a reference tag libnvme 1.3 puts what is above 32 bits into CDW15,
// where the application tag lies; Linux and QEMU have it in CDW3, and
// integration/guests/drives judges those bits by QEMU.
func TestNVMeCLISendsTheSameTags(t *testing.T) {
	for _, tt := range []struct {
		guard              nvme.Guard
		storageTag         int
		storage, reference uint64
	}{
		{nvme.Guard16, 0, 0, 0x12345678},
		{nvme.Guard16, 8, 0xab, 0x345678},
		{nvme.Guard32, 16, 0xabcd, 0x89abcdef},
		{nvme.Guard32, 32, 0xabcdef01, 0x56789abc},
		{nvme.Guard64, 0, 0, 0x56789abc},
		{nvme.Guard64, 16, 0xabcd, 0x12345678},
		{nvme.Guard64, 40, 0xabcdef0123, 0x45},
	} {
		t.Run(fmt.Sprintf("%v, %d bits of storage tag", tt.guard, tt.storageTag), func(t *testing.T) {
			cli := newNVMeCLI(t)
			namespace := nvme.IdentifyNamespace{Size: 1000, Capacity: 1000, Protection: 1}
			namespace.Formats[0] = nvme.LBAFormat{DataSize: 12, MetadataSize: 16}
			more := nvme.NVMNamespace{StorageTagMask: 1<<tt.storageTag - 1}
			more.Formats[0] = nvme.ExtendedFormat(tt.storageTag) | nvme.ExtendedFormat(tt.guard)<<7
			pages := map[string][]byte{}
			for name, s := range map[string]nvme.Structure{
				"06-00": &namespace, "06-01": &nvme.IdentifyController{Attributes: nvme.ExtendedLBAFormats}, "06-05": &more,
			} {
				page, err := nvme.Encode(s)
				require.NoError(t, err)
				pages[name] = page
				require.NoError(t, os.WriteFile(filepath.Join(cli.pages, name), page, 0o600))
			}
			transport := &capture{pages: pages}
			n, err := nvme.NewController(transport).Namespace(t.Context(), 1)
			require.NoError(t, err)
			require.NoError(t, n.Verify(t.Context(), 1, 2, nvme.IOOptions{StorageTag: tt.storage, ReferenceTag: tt.reference}))
			theirs := cli.send(t, strings.Fields(fmt.Sprintf("verify -n 1 -s 1 -c 1 -r %#x -S %#x", tt.reference, tt.storage))...)
			require.Equal(t, theirs, transport.last)
		})
	}
}

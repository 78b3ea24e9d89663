package nvmetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// submit submits a command and returns its status without MORE and DNR, and its
// result.
func submit(t testing.TB, d nvme.Transport, cmd nvme.Command) (nvme.Status, uint64) {
	t.Helper()
	done, err := d.Submit(t.Context(), cmd)
	require.NoError(t, err)
	return done.Status.Code(), done.Result
}

func TestStrictness(t *testing.T) {
	const all = nvme.BroadcastNSID
	page := make([]byte, 4096)
	admin := func(op nvme.Opcode, nsid, cdw10, cdw11 uint32, data []byte) nvme.Command {
		return nvme.Command{Opcode: op, NSID: nsid, CDW10: cdw10, CDW11: cdw11, Data: data}
	}
	io := func(op nvme.Opcode, nsid, lba, cdw12 uint32, data []byte) nvme.Command {
		return nvme.Command{Queue: nvme.IOQueue, Opcode: op, NSID: nsid, CDW10: lba, CDW12: cdw12, Data: data}
	}
	with := func(cmd nvme.Command, change func(*nvme.Command)) nvme.Command { change(&cmd); return cmd }
	for _, test := range []struct {
		name string
		cmd  nvme.Command
		want nvme.Status
	}{
		{"unknown opcode", admin(0xc5, 0, 0, 0, nil), nvme.StatusInvalidOpcode},
		{"unknown I/O opcode", io(0x77, 1, 0, 0, nil), nvme.StatusInvalidOpcode},
		{"opcode that is not claimed", admin(nvme.AdminVirtualization, 0, 0, 0, nil), nvme.StatusInvalidOpcode},
		{"reserved bit in CDW2", with(admin(nvme.AdminIdentify, 0, 1, 0, page), func(c *nvme.Command) { c.CDW2 = 1 }), nvme.StatusInvalidField},
		{"reserved bit in CDW10", admin(nvme.AdminIdentify, 0, 1|1<<8, 0, page), nvme.StatusInvalidField},
		{"reserved bit in CDW15", with(admin(nvme.AdminFormatNVM, 1, 0, 0, nil), func(c *nvme.Command) { c.CDW15 = 1 << 31 }), nvme.StatusInvalidField},

		{"identify, no such CNS", admin(nvme.AdminIdentify, 0, 0x7f, 0, page), nvme.StatusInvalidField},
		{"identify controller with an NSID", admin(nvme.AdminIdentify, 1, 1, 0, page), nvme.StatusInvalidField},
		{"identify into a short buffer", admin(nvme.AdminIdentify, 0, 1, 0, page[:512]), nvme.StatusInvalidSGLDataLength},
		{"identify namespace 0", admin(nvme.AdminIdentify, 0, 0, 0, page), nvme.StatusInvalidNamespace},
		{"identify namespace above NN", admin(nvme.AdminIdentify, 33, 0, 0, page), nvme.StatusInvalidNamespace},
		{"identify namespace that is inactive", admin(nvme.AdminIdentify, 9, 0, 0, page), nvme.StatusSuccess},
		{"descriptors of an inactive namespace", admin(nvme.AdminIdentify, 9, 3, 0, page), nvme.StatusInvalidField},
		{"active list from FFFFFFFEh", admin(nvme.AdminIdentify, all-1, 2, 0, page), nvme.StatusInvalidNamespace},
		{"another command set", admin(nvme.AdminIdentify, 1, 5, 2<<24, page), nvme.StatusInvalidField},

		{"log, no such page", admin(nvme.AdminGetLogPage, all, 0xc0|127<<16, 0, page[:512]), nvme.StatusInvalidLogPage},
		{"log, NUMD one too many", admin(nvme.AdminGetLogPage, all, 2|128<<16, 0, page[:512]), nvme.StatusInvalidSGLDataLength},
		{"log, NUMD one too few", admin(nvme.AdminGetLogPage, all, 2|126<<16, 0, page[:512]), nvme.StatusInvalidSGLDataLength},
		{"log of one namespace", admin(nvme.AdminGetLogPage, 1, 2|127<<16, 0, page[:512]), nvme.StatusInvalidField},
		{"log, offset not a dword's", with(admin(nvme.AdminGetLogPage, all, 2|127<<16, 0, page[:512]), func(c *nvme.Command) { c.CDW12 = 2 }), nvme.StatusInvalidField},
		{"log, offset past its end", with(admin(nvme.AdminGetLogPage, all, 2|127<<16, 0, page[:512]), func(c *nvme.Command) { c.CDW12 = 516 }), nvme.StatusInvalidField},
		{"log, offset at its end", with(admin(nvme.AdminGetLogPage, all, 2|127<<16, 0, page[:512]), func(c *nvme.Command) { c.CDW12 = 512 }), nvme.StatusSuccess},
		{"log, LSP where there is none", admin(nvme.AdminGetLogPage, all, 2|1<<8|127<<16, 0, page[:512]), nvme.StatusInvalidField},
		{"log of an endurance group that is not", admin(nvme.AdminGetLogPage, all, 9|127<<16, 2<<16, page[:512]), nvme.StatusInvalidField},

		{"get features, no such feature", admin(nvme.AdminGetFeatures, 0, 0x77, 0, nil), nvme.StatusInvalidField},
		{"get features, select 4", admin(nvme.AdminGetFeatures, 0, 2|4<<8, 0, nil), nvme.StatusInvalidField},
		{"get features, buffer too small", admin(nvme.AdminGetFeatures, 0, 0x16, 0, page[:64]), nvme.StatusInvalidSGLDataLength},
		{"set features, of a namespace", admin(nvme.AdminSetFeatures, 1, 2, 0, nil), nvme.StatusFeatureNotPerNamespace},
		{"set features, not saveable", admin(nvme.AdminSetFeatures, 0, 7|1<<31, 0, nil), nvme.StatusFeatureNotSaveable},
		{"set features, power state too high", admin(nvme.AdminSetFeatures, 0, 2, 5, nil), nvme.StatusInvalidField},
		{"set features, a reserved bit", admin(nvme.AdminSetFeatures, 0, 6, 2, nil), nvme.StatusInvalidField},
		{"set features, 65536 queues", admin(nvme.AdminSetFeatures, 0, 7, 0xffff, nil), nvme.StatusInvalidField},

		{"firmware, length unlike NUMD", admin(nvme.AdminFirmwareDownload, 0, 1022, 0, page), nvme.StatusInvalidSGLDataLength},
		{"firmware, part off the granularity", admin(nvme.AdminFirmwareDownload, 0, 511, 0, page[:2048]), nvme.StatusInvalidField},
		{"firmware, offset off the granularity", admin(nvme.AdminFirmwareDownload, 0, 1023, 512, page), nvme.StatusInvalidField},
		{"firmware, above the slot's size", admin(nvme.AdminFirmwareDownload, 0, 1023, 4<<20, page), nvme.StatusInvalidField},
		{"firmware with an NSID", admin(nvme.AdminFirmwareDownload, 1, 1023, 0, page), nvme.StatusInvalidField},
		{"commit nothing", admin(nvme.AdminFirmwareCommit, 0, 2|1<<3, 0, nil), nvme.StatusInvalidFirmwareImage},
		{"commit to a read-only slot", admin(nvme.AdminFirmwareCommit, 0, 1|1<<3, 0, nil), nvme.StatusInvalidFirmwareSlot},
		{"commit to a slot that is not", admin(nvme.AdminFirmwareCommit, 0, 5|1<<3, 0, nil), nvme.StatusInvalidFirmwareSlot},
		{"activate an empty slot", admin(nvme.AdminFirmwareCommit, 0, 3|2<<3, 0, nil), nvme.StatusInvalidFirmwareSlot},
		{"commit action 4", admin(nvme.AdminFirmwareCommit, 0, 2|4<<3, 0, nil), nvme.StatusInvalidField},
		{"boot partition without one", admin(nvme.AdminFirmwareCommit, 0, 6<<3, 0, nil), nvme.StatusInvalidField},
		{"boot partition ID without need", admin(nvme.AdminFirmwareCommit, 0, 2|1<<3|1<<31, 0, nil), nvme.StatusInvalidField},

		{"format 10 of 10", admin(nvme.AdminFormatNVM, 1, 10, 0, nil), nvme.StatusInvalidFormat},
		{"format 16, without consent to more than 16", admin(nvme.AdminFormatNVM, 1, 1<<12, 0, nil), nvme.StatusInvalidFormat},
		{"format, metadata where there is none", admin(nvme.AdminFormatNVM, 1, 0|1<<4, 0, nil), nvme.StatusInvalidFormat},
		{"format, protection without room", admin(nvme.AdminFormatNVM, 1, 0|1<<5, 0, nil), nvme.StatusInvalidFormat},
		{"format, protection type 4", admin(nvme.AdminFormatNVM, 1, 1|4<<5, 0, nil), nvme.StatusInvalidFormat},
		{"format, secure erase 3", admin(nvme.AdminFormatNVM, 1, 3<<9, 0, nil), nvme.StatusInvalidField},
		{"format an inactive namespace", admin(nvme.AdminFormatNVM, 9, 0, 0, nil), nvme.StatusInvalidField},
		{"format namespace 0", admin(nvme.AdminFormatNVM, 0, 0, 0, nil), nvme.StatusInvalidNamespace},

		{"sanitize with an NSID", admin(nvme.AdminSanitize, 1, 2, 0, nil), nvme.StatusInvalidField},
		{"sanitize action 0", admin(nvme.AdminSanitize, 0, 0, 0, nil), nvme.StatusInvalidField},
		{"sanitize action 5", admin(nvme.AdminSanitize, 0, 5, 0, nil), nvme.StatusInvalidField},
		{"self-test 3", admin(nvme.AdminSelfTest, 0, 3, 0, nil), nvme.StatusInvalidField},
		{"self-test of an inactive namespace", admin(nvme.AdminSelfTest, 9, 1, 0, nil), nvme.StatusInvalidField},
		{"directive, streams", admin(nvme.AdminDirectiveReceive, 1, 7, 1|1<<8, page[:32]), nvme.StatusInvalidField},
		{"security, another protocol", admin(nvme.AdminSecurityReceive, 0, 1<<24, 512, page[:512]), nvme.StatusInvalidField},
		{"keep alive with data", admin(nvme.AdminKeepAlive, 0, 0, 0, page), nvme.StatusInvalidSGLDataLength},

		{"read of NSID 0", io(nvme.IORead, 0, 0, 0, page[:512]), nvme.StatusInvalidNamespace},
		{"read of all", io(nvme.IORead, all, 0, 0, page[:512]), nvme.StatusInvalidNamespace},
		{"read of an inactive namespace", io(nvme.IORead, 9, 0, 0, page[:512]), nvme.StatusInvalidField},
		{"read past the end", io(nvme.IORead, 1, 1<<20-1, 1, page[:1024]), nvme.StatusLBAOutOfRange},
		{"read at the end", io(nvme.IORead, 1, 1<<20, 0, page[:512]), nvme.StatusLBAOutOfRange},
		{"read of the last", io(nvme.IORead, 1, 1<<20-1, 0, page[:512]), nvme.StatusSuccess},
		{"read, LBA with 64 bits", with(io(nvme.IORead, 1, 0, 0, page[:512]), func(c *nvme.Command) { c.CDW11 = 1 << 31 }), nvme.StatusLBAOutOfRange},
		{"read, block size of another format", io(nvme.IORead, 1, 0, 0, page), nvme.StatusInvalidSGLDataLength},
		{"read, reserved bit", io(nvme.IORead, 1, 0, 1<<20, page[:512]), nvme.StatusInvalidField},
		{"read above MDTS", io(nvme.IORead, 1, 0, 511, make([]byte, 256<<10)), nvme.StatusInvalidField},
		{"read with metadata", with(io(nvme.IORead, 1, 0, 0, page[:512]), func(c *nvme.Command) { c.Metadata = page[:8] }), nvme.StatusInvalidSGLMetadataLength},
		{"write, directive 2", io(nvme.IOWrite, 1, 0, 2<<20, page[:512]), nvme.StatusInvalidField},
		{"compare with what is not there", io(nvme.IOCompare, 1, 7, 0, append([]byte{1}, page[1:512]...)), nvme.StatusCompareFailure},
		{"compare with what is there", io(nvme.IOCompare, 1, 7, 0, page[:512]), nvme.StatusSuccess},
		{"copy, 17 ranges", io(nvme.IOCopy, 1, 0, 16, make([]byte, 17*32)), nvme.StatusCommandSizeLimit},
		{"copy, descriptor format 1", io(nvme.IOCopy, 1, 0, 1<<8, make([]byte, 32)), nvme.StatusInvalidField},
		{"dataset management, short list", with(io(nvme.IODatasetManagement, 1, 1, 0, page[:16]), func(c *nvme.Command) {}), nvme.StatusInvalidSGLDataLength},
		{"flush of all", io(nvme.IOFlush, all, 0, 0, nil), nvme.StatusSuccess},
		{"acquire without registration", io(nvme.IOReservationAcquire, 1, 1<<8, 0, page[:16]), nvme.StatusReservationConflict},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDrive(t, nvmetest.Enterprise())
			got, _ := submit(t, d, test.cmd)
			require.Equal(t, test.want, got)
		})
	}
}

func TestBuffersThatNoTransportCarriesAreRefused(t *testing.T) {
	d := newDrive(t, nvmetest.Consumer())
	for _, cmd := range []nvme.Command{{Opcode: nvme.AdminIdentify, Data: make([]byte, 4095)}, {Queue: 2}, {Timeout: 2 * nvme.NoTimeout}} {
		_, err := d.Submit(t.Context(), cmd)
		var bad *nvme.ArgumentError
		require.ErrorAs(t, err, &bad)
	}
	entries, _ := d.Journal()
	require.Empty(t, entries)
}

func TestErrorsGoToTheErrorLog(t *testing.T) {
	d := newDrive(t, nvmetest.Enterprise())
	c := nvme.NewController(d)
	done, err := d.Submit(t.Context(), nvme.Command{Queue: nvme.IOQueue, Opcode: nvme.IORead, NSID: 1, CDW10: 1 << 21, Data: make([]byte, 512)})
	require.NoError(t, err)
	require.Equal(t, nvme.StatusLBAOutOfRange.WithDNR().WithMore(), done.Status)
	_, err = d.Submit(t.Context(), nvme.Command{Opcode: nvme.AdminFormatNVM, NSID: 1, CDW10: 3 << 9})
	require.NoError(t, err)
	log, err := c.ErrorLog(t.Context(), 8)
	require.NoError(t, err)
	require.Len(t, log, 2)
	require.Equal(t, uint64(2), log[0].ErrorCount)
	require.Equal(t, nvme.StatusInvalidField, log[0].Status().Code())
	require.Equal(t, uint16(41|1<<8), log[0].ParameterLocation, "byte 41, bit 1: CDW10 bit 9")
	require.Equal(t, uint64(1<<21), log[1].LBA)
	smart, err := c.SMARTLog(t.Context())
	require.NoError(t, err)
	require.Equal(t, nvme.Uint128{Lo: 2}, smart.ErrorLogEntries)
}

func TestWhatQEMULacks(t *testing.T) {
	d := newDrive(t, nvmetest.QEMU())
	for _, op := range []nvme.Opcode{nvme.AdminFirmwareDownload, nvme.AdminFirmwareCommit, nvme.AdminSanitize, nvme.AdminSelfTest,
		nvme.AdminNamespaceManagement, nvme.AdminSecuritySend, nvme.AdminDirectiveReceive, nvme.AdminGetLBAStatus} {
		done, err := d.Submit(t.Context(), nvme.Command{Opcode: op})
		require.NoError(t, err)
		require.Equal(t, nvme.Status(0x4001), done.Status, "%02X", op)
	}
	for _, id := range []nvme.LogPageID{0, 6, 7, 9, 0xd, 0xe, 0x81} {
		done, err := d.Submit(t.Context(), nvme.Command{Opcode: nvme.AdminGetLogPage, NSID: nvme.BroadcastNSID,
			CDW10: uint32(id) | 127<<16, Data: make([]byte, 512)})
		require.NoError(t, err)
		require.Equal(t, nvme.Status(0x4002), done.Status, "%02X", id)
	}
	for _, id := range []nvme.FeatureID{3, 0xc, 0xd, 0xf, 0x10, 0x11, 0x12, 0x17, 0x1d, 0x80, 0x84} {
		done, err := d.Submit(t.Context(), nvme.Command{Opcode: nvme.AdminGetFeatures, CDW10: uint32(id)})
		require.NoError(t, err)
		require.Equal(t, nvme.Status(0x4002), done.Status, "%02X", uint8(id))
	}
	done, err := d.Submit(t.Context(), nvme.Command{Opcode: nvme.AdminFormatNVM, NSID: 1, CDW10: 8})
	require.NoError(t, err)
	require.Equal(t, nvme.Status(0x410a), done.Status)
}

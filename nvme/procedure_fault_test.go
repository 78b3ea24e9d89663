package nvme_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// whims are faults of which one or two strike a procedure.
func whims(r *rand.Rand, d *nvmetest.Drive) (text string, end func()) {
	opcodes := []nvme.Opcode{nvme.AdminIdentify, nvme.AdminGetLogPage, nvme.AdminFirmwareDownload, nvme.AdminFirmwareCommit,
		nvme.AdminFormatNVM, nvme.AdminSanitize}
	statuses := []nvme.Status{nvme.StatusInternalError, nvme.StatusInternalError.WithDNR(), nvme.StatusInterrupted | 1<<11,
		nvme.StatusInvalidField.WithDNR(), nvme.StatusAbortedByHost, 0x7ff}
	var faults []*nvmetest.Injected
	for range 1 + r.IntN(2) {
		f := nvmetest.Fault{Opcode: opcodes[r.IntN(len(opcodes))], After: r.IntN(6), Count: 1 + r.IntN(6)}
		switch r.IntN(4) {
		case 0, 1:
			f.Status = statuses[r.IntN(len(statuses))]
		case 2:
			f.Delay = time.Duration(r.IntN(20)) * time.Minute
		case 3:
			f.VanishFirst = r.IntN(2) == 0
			f.Vanish = !f.VanishFirst
		}
		text += fmt.Sprintf("%02X after %d for %d: status %v, delay %v, vanish %v %v; ", uint8(f.Opcode), f.After, f.Count,
			f.Status, f.Delay, f.VanishFirst, f.Vanish)
		faults = append(faults, d.Inject(f))
	}
	return text, func() {
		for _, f := range faults {
			f.Remove()
		}
	}
}

// Whatever goes wrong, a procedure ends, and does not claim what is not so.
func TestProceduresClaimNothingThatIsNotSo(t *testing.T) {
	succeeded := [3]int{}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 0))
		d, c := drive(t, nvmetest.Enterprise())
		text, end := whims(r, d)
		follow := nvme.Follow{Wait: d.Wait, Interval: 30 * time.Second}
		var updated nvme.UpdateResult
		var formatted nvme.FormatResult
		var sanitized nvme.SanitizeResult
		var err error
		kind := seed % 3
		switch kind {
		case 0:
			updated, err = nvme.UpdateFirmware(t.Context(), c, nvmetest.Firmware{Revision: "3.0.0", Size: 16 << 10}.Image(),
				nvme.UpdateOptions{Consent: consent, Follow: follow, Reset: nvme.AnyControllerReset,
					Activation: nvme.FirmwareActivation(r.IntN(2))})
		case 1:
			formatted, err = nvme.FormatNamespace(t.Context(), c, nvme.NamespaceFormat{Consent: consent, Follow: follow, NSID: 1, BlockSize: 4096})
		case 2:
			sanitized, err = nvme.RunSanitize(t.Context(), c, nvme.SanitizeOptions{Action: nvme.CryptoEraseMedia}, consent, follow)
		}
		if err != nil {
			require.NotEmpty(t, err.Error(), text)
			continue
		}
		end()
		succeeded[kind]++
		switch kind {
		case 0:
			require.True(t, updated.Active, text)
			require.Equal(t, "3.0.0", updated.After, text)
			id, err := c.Identify(t.Context())
			require.NoError(t, err, text)
			require.Equal(t, "3.0.0", id.FirmwareRevision, text)
		case 1:
			require.Equal(t, uint64(d.Namespace(1).Size()/4096), formatted.Blocks, text)
		case 2:
			require.Equal(t, nvme.Sanitized, sanitized.State, text)
		}
	}
	for _, n := range succeeded {
		require.Greater(t, n, 20, "%v of 133 each", succeeded)
		require.Less(t, n, 120, "%v of 133 each", succeeded)
	}
}

func TestProceduresOnEveryProfile(t *testing.T) {
	for name, profile := range map[string]nvmetest.Profile{
		"Consumer": nvmetest.Consumer(), "Enterprise": nvmetest.Enterprise(), "Old12": nvmetest.Old12(), "QEMU": nvmetest.QEMU(),
	} {
		t.Run(name, func(t *testing.T) {
			d, c := drive(t, profile)
			follow := nvme.Follow{Wait: d.Wait, Interval: time.Minute}
			if profile.Controller.AdminCommands&nvme.SupportsFirmware != 0 {
				r, err := nvme.UpdateFirmware(t.Context(), c, nvmetest.Firmware{Revision: "9.9"}.Image(),
					nvme.UpdateOptions{Consent: consent, Follow: follow, Reset: nvme.AnyControllerReset})
				require.NoError(t, err)
				require.True(t, r.Active)
			}
			r, err := nvme.FormatNamespace(t.Context(), c, nvme.NamespaceFormat{Consent: consent, Follow: follow, NSID: 1})
			require.NoError(t, err)
			require.Equal(t, r.Before, r.After)
			if profile.Controller.Sanitize != 0 {
				r, err := nvme.RunSanitize(t.Context(), c, nvme.SanitizeOptions{Action: nvme.BlockErase}, consent, follow)
				require.NoError(t, err)
				require.True(t, r.Erased)
			}
		})
	}
}

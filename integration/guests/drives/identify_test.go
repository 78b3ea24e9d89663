package drives

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
)

// An ask is a page asked of the drive by us and by nvme-cli, as JSON.
type ask struct {
	name   string
	ours   func(*testing.T, *nvme.Controller) (any, error)
	theirs string
	unwrap func(any) any // takes nvme-cli's result out of what it is wrapped in
}

func member(name string) func(any) any {
	return func(v any) any { return v.(map[string]any)[name] }
}

// without leaves out what moves between two readings, or is not the drive's.
func without(names ...string) func(any) any {
	return func(v any) any {
		for _, name := range names {
			delete(v.(map[string]any), name)
		}
		return v
	}
}

var asks = []ask{
	{"controller", func(t *testing.T, c *nvme.Controller) (any, error) { return c.Identify(t.Context()) }, "id-ctrl", nil},
	{"namespace", func(t *testing.T, c *nvme.Controller) (any, error) { return c.IdentifyNamespace(t.Context(), 1) }, "id-ns -n 1", nil},
	{"allocated namespace", func(t *testing.T, c *nvme.Controller) (any, error) { return c.IdentifyAllocated(t.Context(), 1) }, "id-ns -n 1 -f", nil},
	{"namespace that is not there", func(t *testing.T, c *nvme.Controller) (any, error) { return c.IdentifyNamespace(t.Context(), 999) }, "id-ns -n 999", nil},
	{"NVM controller", func(t *testing.T, c *nvme.Controller) (any, error) { return c.NVMController(t.Context()) }, "nvm-id-ctrl", nil},
	{"NVM namespace", func(t *testing.T, c *nvme.Controller) (any, error) { return c.NVMNamespace(t.Context(), 1) }, "nvm-id-ns -n 1", nil},
	{"independent namespace", func(t *testing.T, c *nvme.Controller) (any, error) { return c.IndependentNamespace(t.Context(), 1) }, "cmdset-ind-id-ns -n 1", nil},
	{"primary controller", func(t *testing.T, c *nvme.Controller) (any, error) { return c.PrimaryController(t.Context()) }, "primary-ctrl-caps", nil},
	{"secondary controllers", func(t *testing.T, c *nvme.Controller) (any, error) { return c.SecondaryControllers(t.Context(), 0) }, "list-secondary", member("secondary-controllers")},
	{"NVM sets", func(t *testing.T, c *nvme.Controller) (any, error) { return c.NVMSets(t.Context(), 1) }, "id-nvmset -i 1", member("NVMSet")},
	{"UUIDs", func(t *testing.T, c *nvme.Controller) (any, error) { return c.UUIDs(t.Context()) }, "id-uuid", nil},
	{"domains", func(t *testing.T, c *nvme.Controller) (any, error) { return c.Domains(t.Context(), 0) }, "id-domain -d 0", nil},
	{"endurance groups", func(t *testing.T, c *nvme.Controller) (any, error) { return c.EnduranceGroups(t.Context(), 0) }, "list-endgrp -i 0", nil},
	{"granularities", func(t *testing.T, c *nvme.Controller) (any, error) { return c.Granularities(t.Context()) }, "id-ns-granularity", nil},

	{"errors", func(t *testing.T, c *nvme.Controller) (any, error) { return errorEntries(t, c) }, "error-log", member("errors")},
	{"SMART", func(t *testing.T, c *nvme.Controller) (any, error) { return c.SMARTLog(t.Context()) }, "smart-log",
		without("data_units_read", "host_read_commands", "controller_busy_time", "power_on_hours")},
	{"command effects", func(t *testing.T, c *nvme.Controller) (any, error) {
		return c.CommandEffects(t.Context(), nvme.NVMCommandSet)
	}, "effects-log -c 0", effectsByOpcode},
	{"self-tests", func(t *testing.T, c *nvme.Controller) (any, error) { return c.SelfTestLog(t.Context()) }, "self-test-log", nil},
	{"endurance group", func(t *testing.T, c *nvme.Controller) (any, error) { return c.EnduranceGroupLog(t.Context(), 1) }, "endurance-log -g 1", nil},
	{"sanitize", func(t *testing.T, c *nvme.Controller) (any, error) { return c.SanitizeLog(t.Context()) }, "sanitize-log", nil},
	{"supported log pages", func(t *testing.T, c *nvme.Controller) (any, error) { return c.SupportedLogPages(t.Context()) }, "supported-log-pages", nil},
	{"feature effects", func(t *testing.T, c *nvme.Controller) (any, error) { return c.FeatureEffects(t.Context()) }, "fid-support-effects-log", nil},
	{"reservations", func(t *testing.T, c *nvme.Controller) (any, error) { return c.ReservationNotification(t.Context()) }, "resv-notif-log", nil},
}

// errorEntries returns the error log as nvme-cli shows it, with the empty entries.
func errorEntries(t *testing.T, c *nvme.Controller) (entries []nvme.ErrorLogEntry, err error) {
	for page := errorLog(t, c); len(page) > 0; page = page[64:] {
		var e nvme.ErrorLogEntry
		require.NoError(t, nvme.Decode(page, &e))
		entries = append(entries, e)
	}
	return entries, nil
}

// effectsByOpcode takes the commands' names out: "ACS_6 (Identify)".
func effectsByOpcode(v any) any {
	log := without("command_set_identifier")(v).(map[string]any)
	for set, commands := range log {
		byOpcode := map[string]any{}
		for name, effects := range commands.(map[string]any) {
			opcode, _, _ := strings.Cut(name, " ")
			byOpcode[opcode] = effects
		}
		log[set] = byOpcode
	}
	return log
}

// Every page that nvme-cli knows: decoded as it decodes it, or refused with the
// status that it gets.
func TestPages(t *testing.T) {
	c, path := drive(t)
	served := 0
	for _, a := range asks {
		t.Run(a.name, func(t *testing.T) {
			ours, err := a.ours(t, c)
			args := strings.Fields(a.theirs)
			out, theirs := run(t, append([]string{args[0], path, "-o", "json"}, args[1:]...)...)
			require.Equal(t, theirs, cause(t, err))
			if theirs != nil {
				return
			}
			served++
			v := parse(t, []byte(out))
			if a.unwrap != nil {
				v = a.unwrap(v)
			}
			requireSame(t, ours, v)
		})
	}
	require.GreaterOrEqual(t, served, 10, "pages that the drive has")
}

// nvme-cli 2.3 takes firmware revisions for numbers, and writes the text behind.
func TestFirmwareSlots(t *testing.T) {
	c, path := drive(t)
	firmware, err := c.FirmwareSlotLog(t.Context())
	require.NoError(t, err)
	theirs := member(filepath.Base(path))(cli(t, "fw-log", path)).(map[string]any)
	require.Equal(t, fmt.Sprint(firmware.ActiveInfo), fmt.Sprint(theirs["Active Firmware Slot (afi)"]))
	for slot := 1; slot <= 7; slot++ {
		text, ok := theirs[fmt.Sprintf("Firmware Rev Slot %d", slot)]
		require.Equal(t, firmware.Revision(slot) != "", ok, "slot %d", slot)
		if ok { // "3543825634 (1.0.....)"
			_, text, _ := strings.Cut(fmt.Sprint(text), "(")
			require.Equal(t, firmware.Revision(slot), strings.TrimRight(strings.TrimSuffix(text, ")"), " ."))
		}
	}
}

// Namespace lists and descriptors, which nvme-cli wraps one by one.
func TestNamespaceLists(t *testing.T) {
	c, path := drive(t)
	requireLists(t, c, path)
	descriptors, err := c.NamespaceDescriptors(t.Context(), 1)
	require.NoError(t, err)
	merged := map[string]any{}
	for d := range objects(member("ns-descs")(cli(t, "ns-descs", path, "-n", "1"))) {
		kind := d["type"].(string)
		merged[kind] = d[kind]
	}
	if text, ok := merged["csi"].(string); ok {
		merged["csi"] = strings.TrimPrefix(text, "0x")
	}
	requireSame(t, descriptors, merged)
	changed, all, err := c.ChangedNamespaces(t.Context())
	require.NoError(t, err)
	require.False(t, all)
	require.Empty(t, changed, "the kernel has read the log")
	sets, err := c.CommandSets(t.Context(), 0xffff)
	require.NoError(t, err)
	out, err := run(t, "id-iocs", path)
	require.NoError(t, err)
	require.Contains(t, out, fmt.Sprintf("I/O Command Set Combination[0]:%x", sets[0]))
}

// Log pages that the drive has not are refused, whatever asks for them.
func TestLogPagesThatAreNotThere(t *testing.T) {
	c, path := drive(t)
	for id := nvme.LogPageID(0x0a); id <= nvme.LogRotationalMedia; id++ {
		err := c.LogPage(t.Context(), nvme.LogPageRequest{ID: id}, make([]byte, 512))
		_, theirs := run(t, "get-log", path, "-i", fmt.Sprint(uint8(id)), "-l", "512")
		require.Equal(t, theirs, cause(t, err), "log %#x", uint8(id))
		require.ErrorIs(t, err, nvme.StatusInvalidField)
	}
}

package nvme_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
)

// A log page of varying length, as the C structures of libnvme lay it out.
var libnvmePages = map[string]struct {
	c    string // statements that fill b
	want any
	get  func([]byte) (any, error)
}{
	"media units": {`
		struct nvme_media_unit_stat_log *log = (void *)b;
		log->nmu = 2, log->cchans = 3, log->sel_config = 4;
		struct nvme_media_unit_stat_desc *d = (void *)(log + 1);
		d->muid = 1, d->domainid = 2, d->endgid = 3, d->nvmsetid = 4, d->cap_adj_fctr = 100, d->avl_spare = 90, d->percent_used = 5;
		d->mucs = 2, d->cio = 32;
		uint16_t *channels = (void *)d + d->cio;
		channels[0] = 7, channels[1] = 8;
		d = (void *)(channels + 2);
		d->muid = 9, d->cio = 16;
		n = (void *)d + d->cio - (void *)b;`,
		&nvme.MediaUnitLog{Channels: 3, Configuration: 4, Units: []nvme.MediaUnit{
			{ID: 1, DomainID: 2, EnduranceGroupID: 3, NVMSetID: 4, CapacityAdjustment: 100, AvailableSpare: 90, PercentageUsed: 5, Channels: []uint16{7, 8}},
			{ID: 9},
		}},
		func(b []byte) (any, error) { return nvme.DecodeMediaUnitLog(b) }},
	"capacity configurations": {`
		struct nvme_supported_cap_config_list_log *log = (void *)b;
		log->sccn = 2;
		struct nvme_capacity_config_desc *c = (void *)(log + 1);
		c->cap_config_id = 1, c->domainid = 2, c->egcn = 1;
		struct nvme_end_grp_config_desc *g = (void *)(c + 1);
		g->endgid = 3, g->cap_adj_factor = 100, g->tegcap[0] = 10, g->segcap[8] = 20, g->end_est[15] = 1, g->egsets = 2;
		g->nvmsetid[0] = 5, g->nvmsetid[1] = 6;
		struct nvme_end_grp_chan_desc *channels = (void *)&g->nvmsetid[2];
		channels->egchans = 1;
		struct nvme_channel_config_desc *channel = channels->chan_config_desc;
		channel->chanid = 7, channel->chmus = 2;
		channel->mu_config_desc[0].muid = 8, channel->mu_config_desc[0].mudl = 9;
		channel->mu_config_desc[1].muid = 10;
		c = (void *)&channel->mu_config_desc[2];
		c->cap_config_id = 11;
		n = (void *)(c + 1) - (void *)b;`,
		&nvme.CapacityConfigurations{
			{ID: 1, DomainID: 2, Groups: []nvme.EnduranceGroupConfiguration{{
				ID: 3, CapacityAdjustment: 100, TotalCapacity: nvme.Uint128{Lo: 10}, SpareCapacity: nvme.Uint128{Hi: 20},
				EnduranceEstimate: nvme.Uint128{Hi: 1 << 56}, NVMSets: []uint16{5, 6},
				Channels: []nvme.ChannelConfiguration{{ID: 7, Units: []nvme.MediaUnitConfiguration{{8, 9}, {10, 0}}}},
			}}},
			{ID: 11},
		},
		func(b []byte) (any, error) { return nvme.DecodeCapacityConfigurations(b) }},
	"LBA status": {`
		struct nvme_lba_status_log *log = (void *)b;
		log->lslplen = 80, log->nlslne = 2, log->estulb = 3, log->lsgc = 4;
		struct nvme_lbas_ns_element *e = (void *)(log + 1);
		e->neid = 5, e->nlrd = 1, e->ratype = 0x10;
		e->lba_rd[0].rslba = 6, e->lba_rd[0].rnlb = 7;
		e = (void *)&e->lba_rd[1];
		e->neid = 8, e->nlrd = -1, e->ratype = 0x11;
		n = (void *)(e + 1) - (void *)b;`,
		&nvme.LBAStatusLog{Length: 80, EstimatedUnrecovered: 3, Generation: 4, Namespaces: []nvme.NamespaceLBAStatus{
			{NSID: 5, Action: nvme.ScanLBAs, Ranges: []nvme.LBAStatusRangeHint{{LBA: 6, Blocks: 7}}},
			{NSID: 8, Action: nvme.TrackedLBAs, All: true},
		}},
		func(b []byte) (any, error) { return nvme.DecodeLBAStatusLog(b) }},
	"events": {`
		struct nvme_aggregate_predictable_lat_event *log = (void *)b;
		log->num_entries = 2, log->entries[0] = 3, log->entries[1] = 4;
		n = 12;`,
		[]uint16{3, 4},
		func(b []byte) (any, error) { return nvme.DecodeEventAggregate(b) }},
}

// Log pages of varying length, filled by a C program through the structures of
// libnvme; and each cut short, which is an error wherever the cut is.
func TestLibnvmeFills(t *testing.T) {
	gcc := fixture.RequireTool(t, "gcc")
	fixture.RequireFile(t, "/usr/include/nvme/types.h")
	for name, page := range libnvmePages {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			source := "#include <stdint.h>\n#include <stddef.h>\n#include <stdio.h>\n#include <nvme/types.h>\n" +
				"static uint8_t b[4096];\nint main(void)\n{\n\tsize_t n = 0;" + page.c + "\n\tfwrite(b, 1, n, stdout);\n\treturn 0;\n}\n"
			require.NoError(t, os.WriteFile(filepath.Join(dir, "fill.c"), []byte(source), 0o600))
			out, err := exec.Command(gcc, "-o", filepath.Join(dir, "fill"), filepath.Join(dir, "fill.c")).CombinedOutput()
			require.NoError(t, err, "%s", out)
			b, err := exec.Command(filepath.Join(dir, "fill")).Output()
			require.NoError(t, err)
			got, err := page.get(b)
			require.NoError(t, err)
			require.Equal(t, page.want, got)
			for n := range b {
				_, err := page.get(b[:n])
				var bad *nvme.DecodeError
				require.ErrorAs(t, err, &bad, "%d bytes of %d", n, len(b))
			}
		})
	}
}

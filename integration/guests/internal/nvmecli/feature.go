package nvmecli

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"regexp"
	"strconv"

	"github.com/drivebay/drivebay/nvme"
)

// featureBytes are the sizes of features whose value is not a dword but data.
var featureBytes = map[nvme.FeatureID]int{
	nvme.FeatureLBARangeType: 4096, nvme.FeatureAutonomousPowerStates: 256, nvme.FeatureHostMemoryBuffer: 4096,
	nvme.FeatureTimestamp: 8, nvme.FeaturePredictableLatency: 512, nvme.FeatureHostBehavior: 512, nvme.FeatureHostID: 8,
}

// Features returns those of the specification, and those of flexible data placement,
// which are later than it.
func Features() []nvme.FeatureID {
	ids := []nvme.FeatureID{
		nvme.FeatureSoftwareProgress, nvme.FeatureHostID, nvme.FeatureReservationMask, nvme.FeatureReservationPersist,
		nvme.FeatureWriteProtect, 0x1d, 0x1e,
	}
	for id := nvme.FeatureArbitration; id <= nvme.FeatureSpinup; id++ {
		ids = append(ids, id)
	}
	return ids
}

// Drive is a drive that nvme-cli and package nvme both have before them. Where a
// feature is a namespace's it is that of namespace 1.
type Drive struct {
	Program    string // nvme-cli's path
	Device     string // the controller's node
	Controller *nvme.Controller
}

// answer is what the drive says to Get Features.
type answer struct {
	value uint32
	err   error // see Run
}

// supported is what nvme-cli calls the capabilities of a feature.
const supported nvme.FeatureSelect = 3

var valueText = regexp.MustCompile(`value:\s*(?:0x)?([0-9a-f]+)`)

// theirs is Get Features by nvme-cli: version 2.3 has no JSON of it.
func (d *Drive) theirs(ctx context.Context, id nvme.FeatureID, s nvme.FeatureSelect) answer {
	out, err := Run(ctx, d.Program, "get-feature", d.Device, "-f", fmt.Sprint(uint8(id)), "-n", "1", "-s", fmt.Sprint(uint8(s)))
	if err != nil {
		return answer{err: err}
	}
	m := valueText.FindStringSubmatch(out)
	if m == nil {
		return answer{err: fmt.Errorf("nvme get-feature prints no value: %s", out)}
	}
	v, err := strconv.ParseUint(m[1], 16, 32)
	return answer{uint32(v), err}
}

// ours is Get Features by package nvme.
func (d *Drive) ours(ctx context.Context, id nvme.FeatureID, s nvme.FeatureSelect) (answer, []byte) {
	if s == supported {
		capabilities, err := d.Controller.FeatureCapabilities(ctx, id, 1)
		return answer{uint32(capabilities), Cause(err)}, nil
	}
	f := &nvme.RawFeature{FeatureID: id, Data: make([]byte, featureBytes[id])}
	err := d.Controller.ReadFeature(ctx, f, nvme.FeatureOptions{NSID: 1, Select: s})
	return answer{f.Value, Cause(err)}, f.Data
}

// FeatureDifferences reads features, whether the drive has them or not: what can be
// done with each, its values that are selected, and with the current one its data. It
// tells where nvme-cli and package nvme do not get the same, be it the status of one
// that is refused; served is how many features the drive has.
func (d *Drive) FeatureDifferences(ctx context.Context, ids []nvme.FeatureID, values ...nvme.FeatureSelect) (served int, all []string) {
	for _, id := range ids {
		for _, s := range append([]nvme.FeatureSelect{supported}, values...) {
			theirs := d.theirs(ctx, id, s)
			ours, data := d.ours(ctx, id, s)
			if theirs != ours {
				all = append(all, fmt.Sprintf("%v, select %d: ours is %+v, want %+v", id, s, ours, theirs))
			}
			if s == supported && ours.err != nil {
				break
			}
			if s == supported {
				served++
			}
			if s == nvme.CurrentValue {
				all = append(all, d.dataDifferences(ctx, id, data)...)
			}
		}
	}
	return served, all
}

// dataDifferences compares a feature's data with what nvme-cli gets. A clock has
// gone on meanwhile.
func (d *Drive) dataDifferences(ctx context.Context, id nvme.FeatureID, ours []byte) []string {
	if len(ours) == 0 || id == nvme.FeatureTimestamp {
		return nil
	}
	theirs, err := Run(ctx, d.Program, "get-feature", d.Device, "-f", fmt.Sprint(uint8(id)), "-b")
	if err != nil || !bytes.Equal([]byte(theirs), ours) {
		return []string{fmt.Sprintf("data of %v: ours is %x, want %x, %v", id, ours, theirs, err)}
	}
	return nil
}

// SetFeature is a feature to be set, and the value that nvme-cli has for it.
type SetFeature struct {
	Set   nvme.Feature
	Read  nvme.Feature // of the same type, with Set's selector
	Value uint32
	NSID  uint32
}

// SetBothWays lets nvme-cli read what package nvme sets, and the other way round. The
// feature is afterwards what it was before.
func (d *Drive) SetBothWays(ctx context.Context, f SetFeature) error {
	id, o := f.Set.ID(), nvme.FeatureOptions{NSID: f.NSID}
	before := nvme.RawFeature{FeatureID: id}
	if err := d.Controller.ReadFeature(ctx, &before, o); err != nil {
		return err
	}
	before.CDW11 = before.Value
	if err := d.Controller.WriteFeature(ctx, f.Set, o); err != nil {
		return err
	}
	if got := d.theirs(ctx, id, nvme.CurrentValue); got != (answer{value: f.Value}) {
		return fmt.Errorf("nvme-cli gets %+v of what we set, want %#x", got, f.Value)
	}
	if err := d.Controller.WriteFeature(ctx, &before, o); err != nil {
		return err
	}
	if out, err := Run(ctx, d.Program, "set-feature", d.Device, "-f", fmt.Sprint(uint8(id)), "-n", fmt.Sprint(f.NSID), "-v", fmt.Sprint(f.Value)); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if err := d.Controller.ReadFeature(ctx, f.Read, o); err != nil {
		return err
	}
	if !reflect.DeepEqual(f.Set, f.Read) {
		return fmt.Errorf("we get %+v of what nvme-cli sets, want %+v", f.Read, f.Set)
	}
	return d.Controller.WriteFeature(ctx, &before, o)
}

package image

import (
	"fmt"
	"slices"
)

// Names of the regions of a partition table.
const (
	tableRegion  = "partition table"
	backupRegion = "backup partition table"
)

// Extend returns the plan for a disk that is larger than the plan's, of size bytes,
// a multiple of the sector size: the partitions stay what and where they are, and
// of a GPT the backup goes to the disk's end, where firmware and kernels look for
// it (UEFI 2.10, 5.3.1). A smaller size is a [*LayoutError].
func (p *Plan) Extend(size int64) (*Plan, error) {
	if size < p.Size || size%int64(p.SectorSize) != 0 {
		return nil, disk("size", size, fmt.Sprintf("at least %d, and a multiple of the sector size, %d", p.Size, p.SectorSize))
	}
	q := *p
	q.Size = size
	tables, err := q.tables()
	if err != nil {
		return nil, err
	}
	q.regions = slices.DeleteFunc(slices.Clone(p.regions), func(r region) bool { return r.name == tableRegion || r.name == backupRegion })
	q.regions = append(q.regions, tables...)
	sortRegions(q.regions)
	return &q, nil
}

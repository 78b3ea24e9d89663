package repart

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
)

// derive returns the UUID that systemd-repart derives from another one for a
// purpose (src/repart/repart.c, derive_uuid): HMAC-SHA256, cut to a UUID of
// version 4.
func derive(base uuid.UUID, purpose []byte) (id uuid.UUID) {
	h := hmac.New(sha256.New, base[:])
	h.Write(purpose)
	copy(id[:], h.Sum(nil))
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// partitionID returns the UUID of the partition of a type that comes behind so
// many of the same one (src/repart/repart.c, partition_acquire_uuid).
func partitionID(seed, typ uuid.UUID, before int) uuid.UUID {
	purpose := typ[:]
	if before > 0 {
		purpose = binary.LittleEndian.AppendUint64(purpose[:16:16], uint64(before))
	}
	return derive(seed, purpose)
}

// identify returns the UUIDs and the labels of all partitions. What a partition
// has by itself is made of its type: those that have a name by themselves are
// numbered where it is taken by an earlier one.
func (d *Definitions) identify() (ids []uuid.UUID, labels []string, err error) {
	before := map[uuid.UUID]int{}
	taken := map[string]bool{}
	for _, p := range d.Partitions {
		typ, err := p.Type.GUID()
		if err != nil {
			return nil, nil, p.place("Type").failf("Type %w", err) // checked before
		}
		id := p.UUID
		if id == uuid.Nil {
			id = partitionID(d.options.Seed, typ, before[typ])
		}
		before[typ]++
		label := p.Label
		if !p.HasLabel {
			label = unusedLabel(p, taken)
		}
		taken[label] = true
		ids, labels = append(ids, id), append(labels, label)
	}
	return ids, labels, nil
}

func unusedLabel(p *Definition, taken map[string]bool) string {
	base := "linux"
	if isNamed(p.Type) {
		base = string(p.Type)
	}
	label := base
	for k := 2; taken[label]; k++ {
		label = fmt.Sprintf("%s-%d", base, k)
	}
	return label
}

package image

import "github.com/drivebay/drivebay/image/volume"

// Extents returns what of the disk matters, in order: all that is written, and the
// zeros that have to be zeros, such as those in files and tables. The rest is
// empty partitions, what lies between and behind contents, and what file systems
// have free; where it has been in use before, it may keep what it has. Of a
// partition with a hash tree everything matters.
func (p *Plan) Extents() []volume.Extent {
	infos := map[int64]volume.Info{}
	for _, part := range p.Partitions {
		infos[part.Start] = part.Volume
	}
	var list extents
	for _, r := range p.regions {
		info, isPartition := infos[r.offset]
		switch {
		case r.tree > 0 || !isPartition:
			list.add(r.offset, r.size)
		case r.write != nil || r.derive != nil:
			list.addVolume(r.offset, info)
		}
	}
	return list
}

// extents are extents in order that do not touch.
type extents []volume.Extent

func (l *extents) add(offset, length int64) {
	if length == 0 {
		return
	}
	if k := len(*l) - 1; k >= 0 && (*l)[k].End() == offset {
		(*l)[k].Length += length
		return
	}
	*l = append(*l, volume.Extent{Offset: offset, Length: length})
}

// addVolume adds what of a volume is not free.
func (l *extents) addVolume(start int64, info volume.Info) {
	pos := int64(0)
	for _, free := range info.Free {
		l.add(start+pos, free.Offset-pos)
		pos = free.End()
	}
	l.add(start+pos, info.Size-pos)
}

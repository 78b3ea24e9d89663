package rofs

import (
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/drivebay/drivebay/image/volume"
)

// cachedDirs is how many directories are remembered: enough for a path and those
// beside it.
const cachedDirs = 32

// dirCache remembers directories that have been read last, and of all that have
// been seen where they are.
type dirCache struct {
	mu     sync.Mutex
	recent []dir // the last used at the end
	places map[uint64]place
}

type dir struct {
	id       ID
	children []Child
}

// place is the one name of a directory.
type place struct {
	parent ID
	name   string
}

// get returns what is in a directory, if it is remembered.
func (d *dirCache) get(id ID) ([]Child, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.recent, func(r dir) bool { return r.id == id })
	if i < 0 {
		return nil, false
	}
	found := d.recent[i]
	d.recent = append(slices.Delete(d.recent, i, i+1), found)
	return found.children, true
}

// put remembers a directory, and refuses one with a directory in it that is
// somewhere else as well: nobody who walks the tree shall go in circles.
func (d *dirCache) put(id ID, children []Child) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.places == nil {
		d.places = map[uint64]place{}
	}
	for _, c := range children {
		if c.Type != fs.ModeDir {
			continue
		}
		p := place{id, c.Name}
		if other, ok := d.places[c.Place]; ok && other != p {
			return fmt.Errorf("%w: directory %q is in another place, too, where it is %q", volume.ErrDamaged, c.Name, other.name)
		}
		d.places[c.Place] = p
	}
	if len(d.recent) == cachedDirs {
		d.recent = slices.Delete(d.recent, 0, 1)
	}
	d.recent = append(d.recent, dir{id, children})
	return nil
}

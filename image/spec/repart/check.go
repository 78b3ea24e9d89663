package repart

import (
	"errors"
	"slices"

	"github.com/drivebay/drivebay/image"
)

// check refuses settings that contradict one another, and settles what follows
// from them.
func (d *Definition) check() error {
	return errors.Join(d.checkSizes(), d.checkContent(), d.checkVerity(), d.checkSplitName(), d.settleFlags())
}

func (d *Definition) checkSizes() error {
	less := func(high int64, highKey string, low int64, lowKey string) error {
		if high < 0 || low <= high {
			return nil
		}
		return d.place(highKey).failf("%s %d: want at least %s, %d, at %s", highKey, high, lowKey, low, d.place(lowKey))
	}
	return errors.Join(less(d.SizeMax, "SizeMaxBytes", d.SizeMin, "SizeMinBytes"),
		less(d.PaddingMax, "PaddingMaxBytes", d.PaddingMin, "PaddingMinBytes"))
}

// fileKeys are the settings that put files into a file system.
var fileKeys = []string{"CopyFiles", "MakeDirectories", "MakeSymlinks"}

// hasFiles reports whether files are put into the file system.
func (d *Definition) hasFiles() bool {
	return len(d.CopyFiles)+len(d.MakeDirectories)+len(d.MakeSymlinks) > 0
}

func (d *Definition) checkContent() error {
	files := d.place(fileKeys...)
	switch {
	case d.CopyBlocks != "" && d.Format != "":
		return d.place("CopyBlocks").failf("CopyBlocks: want either it or Format, at %s", d.place("Format"))
	case d.CopyBlocks != "" && d.hasFiles():
		return d.place("CopyBlocks").failf("CopyBlocks: want either it or files, at %s", files)
	case d.hasFiles() && d.Format != "" && !formats[d.Format].files:
		return files.failf("files: want none with Format=%s, at %s, which holds none", d.Format, d.place("Format"))
	}
	if d.Format == "" && d.hasFiles() {
		d.Format = "ext4"
		if d.Type == image.ESP || d.Type == image.XBOOTLDR { // as from systemd 254 on
			d.Format = "vfat"
		}
	}
	for _, key := range []string{"Compression", "CompressionLevel"} {
		if at := d.place(key); at.Line > 0 && d.Format != "squashfs" {
			return at.failf("%s: %w with Format=%s, at %s: want squashfs", key, ErrNotSupported, d.Format, d.place("Format"))
		}
	}
	switch at := d.place("Minimize"); {
	case d.Verity == VerityHash:
		return nil // its size follows from that of the data
	case d.Minimize != MinimizeOff && d.Format == "":
		return at.failf("Minimize %s: want a Format, or files", d.Minimize)
	case d.Minimize == MinimizeBest && !formats[d.Format].readOnly:
		return at.failf("Minimize best: want guess with Format=%s, which is not a read-only file system", d.Format)
	}
	return nil
}

func (d *Definition) checkVerity() error {
	at := d.place("Verity")
	switch {
	case d.Verity != VerityOff && d.VerityMatchKey == "":
		return at.failf("Verity %s: want a VerityMatchKey", d.Verity)
	case d.Verity == VerityOff && d.VerityMatchKey != "":
		return d.place("VerityMatchKey").failf("VerityMatchKey %q: want a Verity, data, hash or signature", d.VerityMatchKey)
	case d.Verity != VerityHash && d.Verity != VeritySignature:
		return nil
	case d.CopyBlocks != "" || d.Format != "":
		return at.failf("Verity %s: want no content of its own, at %s", d.Verity, d.place(append([]string{"CopyBlocks", "Format"}, fileKeys...)...))
	case d.Verity == VeritySignature && d.SizeMin >= 0, d.Verity == VeritySignature && d.SizeMax >= 0:
		return at.failf("Verity signature: want no size, at %s: it is always the same", d.place("SizeMinBytes", "SizeMaxBytes"))
	}
	return nil
}

// settleFlags puts the attributes together.
func (d *Definition) settleFlags() error {
	use := usage(d.Type)
	if d.readOnly == nil && slices.Contains([]string{"root-verity", "usr-verity"}, use) {
		yes := true
		d.readOnly = &yes
	}
	if d.growing == nil && slices.Contains(growing, use) && (d.readOnly == nil || !*d.readOnly) {
		yes := true
		d.growing = &yes
	}
	d.Attributes = image.Attributes(d.flags)
	for _, f := range []struct {
		key   string
		value *bool
		bit   image.Attributes
		types []string
	}{
		{"NoAuto", d.noAuto, image.NoAuto, mounting},
		{"ReadOnly", d.readOnly, image.ReadOnly, readable},
		{"GrowFileSystem", d.growing, image.GrowFS, growing},
	} {
		switch {
		case f.value == nil:
		case !slices.Contains(f.types, use):
			return d.place(f.key).failf("%s: it has no meaning for a partition of type %s, at %s", f.key, d.Type, d.place("Type"))
		case *f.value:
			d.Attributes |= f.bit
		default:
			d.Attributes &^= f.bit
		}
	}
	return nil
}

// checkSiblings refuses parts of dm-verity volumes that do not go together.
func checkSiblings(list []*Definition) (errs []error) {
	for i, d := range list {
		if d.Verity == VerityOff {
			continue
		}
		at := d.place("VerityMatchKey")
		found := map[Verity]bool{d.Verity: true}
		for j, other := range list {
			if i == j || other.VerityMatchKey != d.VerityMatchKey {
				continue
			}
			if found[other.Verity] {
				errs = append(errs, at.failf("VerityMatchKey %q: want one partition of Verity=%s, there is another at %s", d.VerityMatchKey, other.Verity, other.place("Verity")))
			}
			found[other.Verity] = true
			if other.Priority != d.Priority {
				errs = append(errs, d.place("Priority", "VerityMatchKey").failf("Priority %d: want that of %s, %d, with which it makes a volume", d.Priority, other.place("Priority"), other.Priority))
			}
		}
		for _, want := range []Verity{VerityData, VerityHash} {
			if !found[want] {
				errs = append(errs, at.failf("VerityMatchKey %q: want a partition of Verity=%s as well", d.VerityMatchKey, want))
			}
		}
	}
	return errs
}

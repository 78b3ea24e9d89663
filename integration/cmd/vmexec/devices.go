package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/integration/vm"
)

func (o *options) machine() (vm.Machine, error) {
	memory, err := parseSize(o.memory)
	if err != nil {
		return vm.Machine{}, fmt.Errorf("flag -memory: %w", err)
	}
	m := vm.Machine{
		Accelerator: vm.Accelerator(o.accel), CPUs: o.cpus, Memory: memory, CmdLine: strings.Fields(o.cmdLine),
	}
	subsystems := map[string]bool{}
	for i, spec := range o.nvme {
		d, err := parseNVMe(fmt.Sprintf("nvme%d", i), spec)
		if err != nil {
			return vm.Machine{}, fmt.Errorf("flag -nvme %q: %w", spec, err)
		}
		if d.Subsystem != "" && !subsystems[d.Subsystem] {
			subsystems[d.Subsystem] = true
			m.Devices = append(m.Devices, &vm.Subsystem{ID: d.Subsystem})
		}
		if d.Port != "" {
			m.Devices = append(m.Devices, &vm.RootPort{ID: d.Port, Slot: i + 1})
		}
		m.Devices = append(m.Devices, d)
	}
	if o.scratch != "" {
		d, err := scratchDisk(o.scratch)
		if err != nil {
			return vm.Machine{}, fmt.Errorf("flag -scratch: %w", err)
		}
		m.Devices = append(m.Devices, d)
	}
	return m, nil
}

// Where a guest has its scratch disk.
const (
	scratchID  = "scratch"
	scratchDir = "/var/tmp"
)

// scratchDisk returns a drive that holds an empty ext4 file system. The guest's
// root is a tmpfs, which lacks what some tests want: direct I/O, before Linux 6.6.
func scratchDisk(size string) (*vm.NVMe, error) {
	bytes, err := parseSize(size)
	if err != nil {
		return nil, err
	}
	layout := image.Layout{
		Table: image.NoTable, Size: bytes,
		Partitions: []image.Partition{{Content: &ext4.FileSystem{Label: scratchID}}},
	}
	plan, err := layout.Plan(context.Background())
	if err != nil {
		return nil, err
	}
	fill := func(ctx context.Context, w io.WriterAt) error {
		return plan.WriteAt(ctx, w, image.Options{AnyOrder: true})
	}
	return &vm.NVMe{ID: scratchID, Namespaces: []vm.Namespace{{Disk: vm.Disk{Size: plan.Size, Fill: fill}}}}, nil
}

// parseNVMe reads the properties of a drive with one namespace.
func parseNVMe(id, spec string) (*vm.NVMe, error) {
	ns := vm.Namespace{Disk: vm.Disk{Size: 64 << 20}}
	d := &vm.NVMe{ID: id}
	for property := range strings.SplitSeq(spec, ",") {
		name, value, _ := strings.Cut(property, "=")
		var err error
		switch name {
		case "size":
			ns.Size, err = parseSize(value)
		case "file":
			ns.Path, err = filepath.Abs(value)
			ns.Size = 0
		case "serial":
			d.Serial = value
		case "block":
			ns.BlockSize, err = strconv.Atoi(value)
		case "ms":
			ns.Metadata, err = strconv.Atoi(value)
		case "pi":
			ns.Protection, err = strconv.Atoi(value)
		case "hotplug":
			var port bool
			if port, err = strconv.ParseBool(value); port {
				d.Port = id + "-port"
			}
		case "extended":
			ns.Extended, err = strconv.ParseBool(value)
		case "subsystem":
			d.Subsystem = value
		case "shared":
			ns.Shared, err = strconv.ParseBool(value)
		case "detached":
			ns.Detached, err = strconv.ParseBool(value)
		case "nsid", "pif":
			var number int
			number, err = strconv.Atoi(value)
			if ns.Properties == nil {
				ns.Properties = map[string]any{}
			}
			ns.Properties[name] = number
		default:
			err = fmt.Errorf("unknown property %q: there are size, file, serial, block, ms, pi, pif, extended, hotplug, subsystem, shared, detached, nsid", name)
		}
		if err != nil {
			return nil, err
		}
	}
	d.Namespaces = []vm.Namespace{ns}
	return d, nil
}

// parseSize reads a number of bytes with the suffix K, M or G, or none.
func parseSize(s string) (int64, error) {
	number, shift := s, 0
	for suffix, bits := range map[string]int{"K": 10, "M": 20, "G": 30} {
		if cut, ok := strings.CutSuffix(s, suffix); ok {
			number, shift = cut, bits
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > 1<<50>>shift {
		return 0, fmt.Errorf("size %q is no positive number of bytes, with K, M or G", s)
	}
	return n << shift, nil
}

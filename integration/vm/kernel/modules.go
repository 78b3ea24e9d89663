package kernel

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Module is a kernel module that can be loaded.
type Module struct {
	Name    string
	Path    string
	Aliases []string // what the kernel may ask for in its place: "fs-vfat"
	Needs   []string // modules that have to be loaded before it
	Data    []byte   // the module, uncompressed
}

// Modules returns the modules with the given names, and all that these need, in an
// order in which they can be loaded. What the kernel has built in is left out. A
// dash in a name means the same as an underscore. A missing module is a
// *[ModuleError].
//
// A soft dependency counts where it names a module; one that names an alias
// ("crc32c", of which the kernel has built in at least one) is left to the kernel.
func (k *Kernel) Modules(names ...string) ([]Module, error) {
	index, err := k.index()
	if err != nil {
		return nil, err
	}
	r := resolver{k: k, index: index, done: map[string]bool{}}
	for _, name := range names {
		if err := r.add(strings.ReplaceAll(name, "-", "_")); err != nil {
			return nil, err
		}
	}
	return r.modules, nil
}

type resolver struct {
	k       *Kernel
	index   moduleIndex
	done    map[string]bool
	modules []Module
}

// add appends the module after those it needs.
func (r *resolver) add(name string) error {
	if r.done[name] {
		return nil
	}
	r.done[name] = true // before its needs: a circle of soft ones ends here
	path, ok := r.index[name]
	if !ok {
		return r.missing(name)
	}
	if path == "" {
		return nil
	}
	m, err := r.k.readModule(name, path)
	if err != nil {
		return fmt.Errorf("read module %s of kernel %s: %w", name, r.k.Release, err)
	}
	m.Needs = slices.DeleteFunc(m.Needs, func(need string) bool { return r.index[need] == "" })
	for _, need := range m.Needs {
		if err := r.add(need); err != nil {
			return err
		}
	}
	r.modules = append(r.modules, m)
	return nil
}

func (r *resolver) missing(name string) error {
	if r.k.ModuleDir == "" {
		return fmt.Errorf("read module %s of kernel %s: %w: looked beside %s and in this machine's /lib/modules",
			name, r.k.Release, ErrNoModules, r.k.Image)
	}
	e := &ModuleError{Module: name, Release: r.k.Release, Option: configOption[name]}
	if e.Option != "" {
		e.State = r.k.Option(e.Option)
	}
	return e
}

func (k *Kernel) readModule(name, path string) (Module, error) {
	data, err := readCompressed(path, k.kept(name))
	if err != nil {
		return Module{}, err
	}
	m := Module{Name: name, Path: path, Data: data}
	info, err := modinfo(data)
	if err != nil {
		return Module{}, fmt.Errorf("%s: %w", path, err)
	}
	for _, field := range info {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "alias":
			m.Aliases = append(m.Aliases, value)
		case "depends":
			m.Needs = append(m.Needs, splitNames(value, ",")...)
		case "softdep":
			m.Needs = append(m.Needs, softNeeds(value)...)
		}
	}
	return m, nil
}

// softNeeds returns the modules that a softdep wants to have before: its words
// after "pre:" and before "post:".
func softNeeds(value string) []string {
	_, pre, ok := strings.Cut(value, "pre:")
	if !ok {
		return nil
	}
	pre, _, _ = strings.Cut(pre, "post:")
	return splitNames(pre, " ")
}

func splitNames(list, sep string) (names []string) {
	for name := range strings.SplitSeq(list, sep) {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, strings.ReplaceAll(name, "-", "_"))
		}
	}
	return names
}

// modinfo returns the fields of a module's section .modinfo: include/linux/module.h,
// MODULE_INFO.
func modinfo(data []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("it has no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	return strings.Split(string(info), "\x00"), nil
}

// maxModule is a limit in bytes far above any module, for a compressed file that
// swells.
const maxModule = 256 << 20

// readCompressed reads a file, plain or compressed as its name says. Where kept is
// not "", what was decompressed is kept in the file of that name, for the next time.
func readCompressed(path, kept string) ([]byte, error) {
	if filepath.Ext(path) == ".ko" {
		return os.ReadFile(path)
	}
	if kept == "" {
		return decompressFile(path)
	}
	if b, err := os.ReadFile(kept); err == nil {
		return b, nil
	}
	b, err := decompressFile(path)
	if err == nil {
		_ = writeWhole(kept, b) // at worst the next time takes as long
	}
	return b, err
}

func decompressFile(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r io.Reader
	switch filepath.Ext(path) {
	case ".gz":
		r, err = gzip.NewReader(bytes.NewReader(b))
	case ".xz":
		r, err = xz.NewReader(bytes.NewReader(b))
	case ".zst":
		var d *zstd.Decoder
		d, err = zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1))
		if err == nil {
			defer d.Close()
			r = d
		}
	}
	if err != nil {
		return nil, fmt.Errorf("decompress %s: %w", path, err)
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxModule+1))
	if err == nil && len(plain) > maxModule {
		err = fmt.Errorf("it has more than %d bytes", maxModule)
	}
	if err != nil {
		return nil, fmt.Errorf("decompress %s: %w", path, err)
	}
	return plain, nil
}

// configOption names the configuration option of modules that tests of storage
// want: the Kconfig files of Linux 6.12.
var configOption = map[string]string{
	"9p":             "CONFIG_9P_FS",
	"ahci":           "CONFIG_SATA_AHCI",
	"brd":            "CONFIG_BLK_DEV_RAM",
	"btrfs":          "CONFIG_BTRFS_FS",
	"cdrom":          "CONFIG_CDROM",
	"dm_crypt":       "CONFIG_DM_CRYPT",
	"dm_flakey":      "CONFIG_DM_FLAKEY",
	"dm_log_writes":  "CONFIG_DM_LOG_WRITES",
	"dm_mod":         "CONFIG_BLK_DEV_DM",
	"dm_snapshot":    "CONFIG_DM_SNAPSHOT",
	"dm_thin_pool":   "CONFIG_DM_THIN_PROVISIONING",
	"dm_verity":      "CONFIG_DM_VERITY",
	"erofs":          "CONFIG_EROFS_FS",
	"exfat":          "CONFIG_EXFAT_FS",
	"ext4":           "CONFIG_EXT4_FS",
	"f2fs":           "CONFIG_F2FS_FS",
	"fuse":           "CONFIG_FUSE_FS",
	"isofs":          "CONFIG_ISO9660_FS",
	"loop":           "CONFIG_BLK_DEV_LOOP",
	"nbd":            "CONFIG_BLK_DEV_NBD",
	"nls_ascii":      "CONFIG_NLS_ASCII",
	"nls_cp437":      "CONFIG_NLS_CODEPAGE_437",
	"nls_iso8859_1":  "CONFIG_NLS_ISO8859_1",
	"null_blk":       "CONFIG_BLK_DEV_NULL_BLK",
	"nvme":           "CONFIG_BLK_DEV_NVME",
	"nvme_core":      "CONFIG_NVME_CORE",
	"nvme_fabrics":   "CONFIG_NVME_FABRICS",
	"nvme_tcp":       "CONFIG_NVME_TCP",
	"nvmet":          "CONFIG_NVME_TARGET",
	"nvmet_tcp":      "CONFIG_NVME_TARGET_TCP",
	"overlay":        "CONFIG_OVERLAY_FS",
	"raid1":          "CONFIG_MD_RAID1",
	"scsi_debug":     "CONFIG_SCSI_DEBUG",
	"sd_mod":         "CONFIG_BLK_DEV_SD",
	"squashfs":       "CONFIG_SQUASHFS",
	"ublk_drv":       "CONFIG_BLK_DEV_UBLK",
	"udf":            "CONFIG_UDF_FS",
	"vfat":           "CONFIG_VFAT_FS",
	"virtio_blk":     "CONFIG_VIRTIO_BLK",
	"virtio_console": "CONFIG_VIRTIO_CONSOLE",
	"virtio_pci":     "CONFIG_VIRTIO_PCI",
	"xfs":            "CONFIG_XFS_FS",
	"zram":           "CONFIG_ZRAM",
}

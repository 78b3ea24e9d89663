package main

import "fmt"

// groups returns the contests.
func (w *work) groups() []*group {
	image := bytesFlag(w.imageSize())
	return []*group{{
		name: "ext4", title: fmt.Sprintf("one file system of %s", &image), peer: "mke2fs -d",
		judge: "e2fsck", check: `e2fsck -fn "$OUT"`,
		entries: []*contender{
			{name: floor, child: []string{"pack", "TREE"}},
			{name: "drivebay", child: []string{"ext4"}},
			{name: "mke2fs -d", tools: []string{"mke2fs"}, script: mke2fs + ` "$OUT" $((SIZE/1024))k`},
			{name: "genimage", tools: []string{"genimage", "mke2fs"}, script: genimageExt4},
			{name: "systemd-repart", tools: []string{"systemd-repart", "mke2fs"}, script: repartExt4, check: `e2fsck -fn "$OUT?offset=1048576"`},
			{name: "go-diskfs", child: []string{"diskfs-ext4"}, once: true},
		},
	}, {
		name: "fat", title: "one file system of 64 MiB with 40 MiB in 20 files", peer: "mkfs.fat+mcopy",
		judge: "fsck.fat", check: `fsck.fat -n "$OUT"`,
		entries: []*contender{
			{name: floor, child: []string{"pack", "BOOT"}},
			{name: "drivebay", child: []string{"fat"}},
			{name: "mkfs.fat+mcopy", tools: []string{"mkfs.fat", "mcopy"}, script: `
				truncate -s $BOOTSIZE "$OUT"; mkfs.fat -F 32 "$OUT"; mcopy -s -m -i "$OUT" "$BOOT"/* ::`},
			{name: "genimage", tools: []string{"genimage", "mkfs.fat", "mcopy"}, script: genimageFAT},
			{name: "systemd-repart", tools: []string{"systemd-repart", "mkfs.fat"}, script: repartFAT, check: `
				mkdir -p "$SCRATCH"; dd if="$OUT" of="$SCRATCH/esp" bs=1M skip=1 count=64; fsck.fat -n "$SCRATCH/esp"`},
			{name: "go-diskfs", child: []string{"diskfs-fat"}},
		},
	}, {
		name: "erofs", title: "one file system without compression, as large as the tree", peer: "mkfs.erofs",
		judge: "fsck.erofs", check: `fsck.erofs "$OUT"`,
		entries: []*contender{
			{name: floor, child: []string{"pack", "TREE"}},
			{name: "drivebay", child: []string{"erofs"}},
			{name: "mkfs.erofs", tools: []string{"mkfs.erofs"}, script: `
				mkfs.erofs --quiet -U 8f1c2c3e-0000-4000-8000-000000000001 "$OUT" "$TREE"`},
		},
	}, squashfsGroup("zstd", 3), squashfsGroup("gzip", 6), squashfsGroup("none", 0), {
		name: "iso9660", title: "one file system for discs, as large as the tree", peer: "genisoimage",
		judge: "xorriso", check: `xorriso -abort_on WARNING -indev "$OUT" -find / -exec report_lba`,
		entries: []*contender{
			{name: floor, child: []string{"pack", "TREE"}},
			{name: "drivebay", child: []string{"iso9660"}},
			{name: "genisoimage", tools: []string{"genisoimage"}, script: `genisoimage -quiet -R -o "$OUT" "$TREE"`},
			{name: "xorriso", tools: []string{"xorriso"}, script: `xorriso -as mkisofs -quiet -R -o "$OUT" "$TREE"`},
		},
	}, {
		name: "disk", title: fmt.Sprintf("a GPT disk with that FAT and an ext4 of %s", &image), peer: "sfdisk+mkfs.fat+mcopy+mke2fs",
		judge: "e2fsck", check: `e2fsck -fn "$OUT?offset=$ROOTSTART"`,
		entries: []*contender{
			{name: floor, child: []string{"pack", "TREE", "BOOT"}},
			{name: "drivebay", child: []string{"disk"}},
			{name: "sfdisk+mkfs.fat+mcopy+mke2fs", tools: []string{"sfdisk", "mkfs.fat", "mcopy", "mke2fs"}, script: scriptDisk},
			{name: "genimage", tools: []string{"genimage", "mkfs.fat", "mcopy", "mke2fs"}, script: genimageDisk},
			{name: "systemd-repart", tools: []string{"systemd-repart", "mkfs.fat", "mke2fs"}, script: repartDisk},
			{name: "go-diskfs", child: []string{"diskfs-disk"}, once: true},
		},
	}, w.verityGroup(), {
		name: "many", title: "ext4, fitted to small files: time for each and memory, by their number",
		judge: "e2fsck", check: `e2fsck -fn "$OUT"`,
		entries: []*contender{w.many(10_000), w.many(100_000), w.many(1_000_000)},
	}}
}

// many returns the contender that has a number of files of a byte.
func (w *work) many(files int) *contender {
	name := fmt.Sprintf("%d files", files)
	return &contender{
		name: name, child: []string{"many"}, once: true,
		tree: spec{dir: w.path(name), size: int64(files), files: files},
	}
}

// mke2fs lacks the output and its size. UUID and hash seed are fixed, as for an
// image that can be made again.
const mke2fs = `mke2fs -q -F -t ext4 -b 4096 -m 0 -N $INODES -d "$TREE" \
	-U 8f1c2c3e-0000-4000-8000-000000000001 -E hash_seed=8f1c2c3e-0000-4000-8000-000000000002,root_owner=0:0`

// The partition types of the Discoverable Partitions Specification.
const scriptDisk = `
	truncate -s $DISKSIZE "$OUT"
	sfdisk -q "$OUT" <<-END
	label: gpt
	start=$((ESPSTART/512)), size=$((BOOTSIZE/512)), type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=esp
	start=$((ROOTSTART/512)), size=$((SIZE/512)), type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, name=root
	END
	mkfs.fat -F 32 -s 1 --offset $((ESPSTART/512)) -h $((ESPSTART/512)) "$OUT" $((BOOTSIZE/1024))
	mcopy -s -m -i "$OUT@@$ESPSTART" "$BOOT"/* ::
	` + mke2fs + `,offset=$ROOTSTART "$OUT" $((SIZE/1024))k`

// genimage copies the tree into its temporary directory before anything else.
// Afterwards the image is in $SCRATCH/images.
const genimage = `
	mkdir -p "$SCRATCH/images" "$SCRATCH/input"
	genimage --config "$SCRATCH/config" --rootpath "$TREE" --tmppath "$SCRATCH/tmp" \
		--inputpath "$SCRATCH/input" --outputpath "$SCRATCH/images"
	mv "$SCRATCH/images/$IMAGE" "$OUT"`

const genimageExt4 = `
	IMAGE=root.ext4; mkdir "$SCRATCH"
	cat > "$SCRATCH/config" <<-END
	image root.ext4 { ext4 { use-mke2fs = true extraargs = "-b 4096 -m 0 -N $INODES" } size = $SIZE }
	END` + genimage

const genimageFAT = `
	IMAGE=esp.vfat; TREE=$BOOT; mkdir "$SCRATCH"
	cat > "$SCRATCH/config" <<-END
	image esp.vfat { vfat { extraargs = "-F 32" } size = $BOOTSIZE }
	END` + genimage

const genimageDisk = `
	IMAGE=disk; mkdir -p "$SCRATCH/tree"
	cat > "$SCRATCH/config" <<-END
	image esp.vfat { vfat { extraargs = "-F 32" } size = $BOOTSIZE mountpoint = "/boot" }
	image root.ext4 { ext4 { use-mke2fs = true extraargs = "-b 4096 -m 0 -N $INODES" } size = $SIZE }
	image disk {
		hdimage { partition-table-type = gpt }
		partition esp { image = "esp.vfat" offset = $ESPSTART partition-type-uuid = U }
		partition root { image = "root.ext4" offset = $ROOTSTART partition-type-uuid = L }
	}
	END
	cp -al "$TREE"/. "$SCRATCH/tree"; cp -al "$BOOT" "$SCRATCH/tree/boot"; TREE=$SCRATCH/tree` + genimage

// systemd-repart makes disks only: the file system is in a partition.
const repart = `
	TMPDIR=$SCRATCH systemd-repart --empty=create --size=$((DISKSIZE/4096*4096)) --dry-run=no --definitions="$SCRATCH" \
		--seed=8f1c2c3e-0000-4000-8000-000000000001 "$OUT"`

const repartRootDefinition = `
	cat > "$SCRATCH/20-root.conf" <<-END
	[Partition]
	Type=root-x86-64
	Format=ext4
	SizeMinBytes=$SIZE
	SizeMaxBytes=$SIZE
	CopyFiles=$TREE:/
	END`

const repartESPDefinition = `
	cat > "$SCRATCH/10-esp.conf" <<-END
	[Partition]
	Type=esp
	Format=vfat
	SizeMinBytes=$BOOTSIZE
	SizeMaxBytes=$BOOTSIZE
	CopyFiles=$BOOT:/
	END`

const (
	repartExt4 = `mkdir "$SCRATCH"` + repartRootDefinition + repart
	repartFAT  = `mkdir "$SCRATCH"; DISKSIZE=$((BOOTSIZE+4194304))` + repartESPDefinition + repart
	repartDisk = `mkdir "$SCRATCH"` + repartESPDefinition + repartRootDefinition + repart
)

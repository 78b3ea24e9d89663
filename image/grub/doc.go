// Package grub puts GRUB 2 on a disk that a PC's BIOS boots, at the time when the
// disk is planned: what grub-bios-setup does afterwards, as root and with the disk
// attached.
//
// A BIOS loads the first sector of a disk and runs the 440 bytes of boot code in
// it. GRUB's (boot.img) loads the first sector of its core image, which loads the
// rest of that. Both find the next step by a sector number in themselves. [BootCode]
// and [Core] write these numbers.
//
// On a GPT disk the core image has a partition to itself:
//
//	layout := image.Layout{
//		Partitions: []image.Partition{
//			{Name: "bios", Type: image.BIOSBoot, Size: image.MiB, Content: core},
//			...
//		},
//		Blobs: []image.Blob{{Name: "boot code", Locate: boot.Locate}},
//	}
//
// On an MBR disk it is a blob between the table and the first partition, and
// [BootCode].CoreOffset says where:
//
//	Blobs: []image.Blob{
//		{Name: "boot code", Locate: grub.BootCode{Image: b, CoreOffset: 512}.Locate},
//		{Name: "core", Offset: 512, Content: core},
//	}
//
// The core image is made by grub-mkimage, which needs no root:
//
//	grub-mkimage -O i386-pc -p '(,gpt2)/grub' -c early.cfg -o core.img biosdisk part_gpt fat linux
//
// Both files are those of GRUB 2.06 (Debian's package grub-pc-bin), and the layout
// of the numbers in them is that of include/grub/i386/pc/boot.h and
// include/grub/offsets.h there. They count in sectors of 512 bytes; disks with
// others cannot be booted in this way.
//
// Reed-Solomon codes, by which grub-bios-setup lets a core image survive programs
// that write into the gap behind an MBR, are not written.
package grub

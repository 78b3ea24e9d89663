package grub

import "errors"

// What errors wrap, for errors.Is.
var (
	// ErrNotBootCode is of a file that is not GRUB's boot.img.
	ErrNotBootCode = errors.New("not GRUB's boot code")
	// ErrNotCore is of a file that is not a core image of grub-mkimage for
	// i386-pc.
	ErrNotCore = errors.New("not a core image of GRUB")
	// ErrSectorSize is of a disk whose sectors GRUB's boot code cannot count.
	ErrSectorSize = errors.New("GRUB boots by BIOS from sectors of 512 bytes only")
	// ErrNoCore is of a disk without a place for the core image.
	ErrNoCore = errors.New("no place of the core image")
)

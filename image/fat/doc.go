// Package fat writes FAT12, FAT16 and FAT32 file systems with long names, front
// to back in one pass.
package fat

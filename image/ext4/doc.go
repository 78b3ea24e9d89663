// Package ext4 writes ext4 file systems in one pass, front to back.
package ext4

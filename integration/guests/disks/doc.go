// Package disks holds tests of whole disks that want a kernel with a parser for
// partition tables and with vfat. The suite in the folder above runs them in
// guests; go test runs them on any machine that has both.
package disks

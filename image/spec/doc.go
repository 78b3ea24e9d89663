// Package spec reads descriptions of disks.
package spec

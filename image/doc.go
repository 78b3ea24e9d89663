// Package image builds partitioned disk images.
package image

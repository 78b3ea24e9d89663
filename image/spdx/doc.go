// Package spdx lists the files of a disk image as an SPDX 2.3 document in JSON
// (ISO/IEC 5962 as continued at spdx.github.io/spdx-spec/v2.3), which scanners and
// auditors read.
//
//	err := spdx.Write(ctx, w, spdx.Image{Name: "disk.img", Plan: plan, Trees: trees, Created: t})
//
// The disk is a package that contains a package for each partition, and these
// contain their regular files, with SHA-1, which SPDX wants, and SHA-256. What
// SPDX has no field for is in comments, as words of the form key=value: of a
// partition number, type, id, start, size, format, label and uuid, of a file mode,
// uid, gid and size. SPDX knows nothing of directories, links and devices, and they
// are not listed; a further name of a file is listed as a file.
//
// The same image gives the same document: its namespace is derived from what it
// says, and its time is the caller's.
package spdx

// Package verity makes hash trees of dm-verity, by which the kernel checks every
// block that it reads of a volume against one hash, and signatures of these hashes.
//
// In an image, a [HashTree] is the content of one partition and names another, which
// is hashed while it is written:
//
//	layout := image.Layout{Partitions: []image.Partition{
//		{Name: "root", Type: image.Root, Content: &squashfs.FileSystem{Tree: files}},
//		{Name: "root-verity", Type: "root-verity", Content: &verity.HashTree{Of: "root"}},
//		{Name: "root-sig", Type: "root-verity-sig", Content: &verity.Signature{Of: "root-verity", Key: key, Certificate: cert}},
//	}}
//	_, err := image.Build(ctx, "disk.img", layout, image.Options{
//		RootHash: func(h image.RootHash) { fmt.Println("roothash=" + h.Hash.String()) },
//	})
//
// A [Hasher] makes the tree of any other data that comes in order, as a sink of a
// volume.Writer or beside one.
//
// # The tree
//
// It is as veritysetup format makes it, byte for byte for the same salt and UUID: a
// superblock, then the levels from the root down, of which the last holds the
// digests of the data's blocks. It takes 1/127 of the size of the data, with the
// defaults. A single data block has no level: its digest is the root hash. There is
// no forward error correction.
//
// Where there are no bytes, the tree of gigabytes of zeros takes as long as writing
// it does. All CPUs hash; the tree is the same on any number of them.
//
// # Specifications
//
// The tree: Linux, Documentation/admin-guide/device-mapper/verity.rst, hash type 1.
// The superblock: cryptsetup 2.6, lib/verity/verity.c. Signature partitions and the
// IDs of partitions: the Discoverable Partitions Specification
// (https://uapi-group.org/specifications/specs/discoverable_partitions_specification/).
package verity

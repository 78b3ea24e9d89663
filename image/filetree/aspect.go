package filetree

import "strings"

// Aspect is a set of things in which two trees can differ.
type Aspect uint32

// What [Diff] compares.
const (
	// AspectName is that the file is there at all.
	AspectName Aspect = 1 << iota
	// AspectType is the type of file: regular, directory, device and so on.
	AspectType
	// AspectMode is the permissions with setuid, setgid and sticky.
	AspectMode
	// AspectOwner is the numbers of the user and the group.
	AspectOwner
	// AspectModTime is the time of the content's last change.
	AspectModTime
	// AspectAccessTime is the time of the last access.
	AspectAccessTime
	// AspectChangeTime is the time of the last change of the metadata.
	AspectChangeTime
	// AspectTarget is what a symbolic link points to.
	AspectTarget
	// AspectDevice is the number of a device.
	AspectDevice
	// AspectXattrs is the extended attributes, with ACLs and capabilities.
	AspectXattrs
	// AspectLinks is which names are those of one hard-linked file.
	AspectLinks
	// AspectSize is the length of a regular file.
	AspectSize
	// AspectContent is the bytes of a regular file. They are compared only
	// where the sizes are the same.
	AspectContent
	// AspectHoles is where a regular file holds no data. File systems differ
	// in how fine their holes are.
	AspectHoles

	// DefaultAspects is all that a copy has to keep: everything but the times
	// that reading and copying change, and the holes.
	DefaultAspects = AspectName | AspectType | AspectMode | AspectOwner | AspectModTime | AspectTarget |
		AspectDevice | AspectXattrs | AspectLinks | AspectSize | AspectContent
)

var aspectNames = [...]string{
	"name", "type", "mode", "owner", "modification time", "access time", "change time", "target", "device",
	"extended attribute", "hard link", "size", "content", "data",
}

// String returns the names of the aspects, separated by commas.
func (a Aspect) String() string {
	var list []string
	for i, name := range aspectNames {
		if a&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	return strings.Join(list, ", ")
}

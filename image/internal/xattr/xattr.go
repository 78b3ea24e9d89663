// Package xattr knows the namespaces of extended attributes by the numbers that ext4
// and EROFS have for them (fs/ext4/xattr.h, fs/erofs/erofs_fs.h).
package xattr

import "strings"

// Numbers of namespaces. Those of access control lists are whole names.
const (
	user       = 1
	aclAccess  = 2
	aclDefault = 3
	trusted    = 4
	security   = 6
)

// prefixes are the beginnings of names, by number. Others are nobody's: 5 is
// Lustre's, and what follows security does not leave the file system.
var prefixes = [...]string{
	user:       "user.",
	aclAccess:  "system.posix_acl_access",
	aclDefault: "system.posix_acl_default",
	trusted:    "trusted.",
	security:   "security.",
}

// Names is what errors say of names that [Split] does not take.
const Names = "user, trusted, security or a POSIX ACL"

// Split returns the number of a name's namespace, and the rest of the name, which is
// empty for an access control list. It is not ok for other namespaces.
func Split(name string) (index uint8, rest string, ok bool) {
	for i, prefix := range prefixes {
		if rest, ok := strings.CutPrefix(name, prefix); ok && prefix != "" && IsACL(uint8(i)) == (rest == "") {
			return uint8(i), rest, true
		}
	}
	return 0, "", false
}

// Prefix returns the beginning of the names of a namespace. It is not ok for numbers
// that [Split] does not return.
func Prefix(index uint8) (prefix string, ok bool) {
	if int(index) >= len(prefixes) {
		return "", false
	}
	return prefixes[index], prefixes[index] != ""
}

// IsACL reports whether a namespace is that of an access control list.
func IsACL(index uint8) bool { return index == aclAccess || index == aclDefault }

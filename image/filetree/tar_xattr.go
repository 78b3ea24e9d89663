package filetree

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Prefixes of PAX records with extended attributes: star's, which GNU tar and
// most others have taken over, and libarchive's, which stand beside the same in
// star's form.
const (
	paxStarXattr       = "SCHILY.xattr."
	paxLibarchiveXattr = "LIBARCHIVE.xattr."
)

// tarXattrs returns the extended attributes in the PAX records of a member.
func tarXattrs(records map[string]string) ([]Xattr, error) {
	var list []Xattr
	known := map[string]bool{}
	add := func(name string, value []byte) {
		if !known[name] {
			known[name] = true
			list = append(list, Xattr{Name: name, Value: value})
		}
	}
	var keys []string
	for key := range records {
		if strings.Contains(key, "LIBARCHIVE.") || strings.HasPrefix(key, "SCHILY.") || key == "RHT.security.selinux" {
			keys = append(keys, key)
		}
	}
	// The other way round: star's attributes come before its ACLs, which hold
	// names, not numbers, and before libarchive's.
	slices.SortFunc(keys, func(a, b string) int { return strings.Compare(b, a) })
	for _, key := range keys {
		name, value := key, records[key]
		switch {
		case key == "RHT.security.selinux":
			add("security.selinux", append([]byte(value), 0))
		case key == "SCHILY.acl.access", key == "SCHILY.acl.default":
			name := "system.posix_acl_" + strings.TrimPrefix(key, "SCHILY.acl.")
			if known[name] {
				continue
			}
			acl, err := parseACL(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			// GNU tar writes an ACL for each file beside one that has any.
			if len(acl) > 0 && (key == "SCHILY.acl.default" || !isMode(acl)) {
				add(name, encodeACL(acl))
			}
		case strings.HasPrefix(key, paxStarXattr):
			// GNU tar escapes what a keyword cannot hold.
			name = strings.NewReplacer("%3D", "=", "%25", "%").Replace(key[len(paxStarXattr):])
			add(name, []byte(value))
		case strings.HasPrefix(key, paxLibarchiveXattr):
			name, err := url.PathUnescape(key[len(paxLibarchiveXattr):])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, ErrBadEntry)
			}
			data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
			if err != nil {
				return nil, fmt.Errorf("%s: %w: not in base 64", key, ErrBadEntry)
			}
			add(name, data)
		}
	}
	return list, nil
}

// Tags of the entries of an ACL, in the order in which the kernel wants them
// (include/uapi/linux/posix_acl.h).
const (
	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclOther    = 0x20

	aclNoID = 0xffffffff
)

// aclEntry is an entry of an ACL.
type aclEntry struct {
	tag, perm uint16
	id        uint32
}

// parseACL turns the text of an ACL, as POSIX 1003.1e draft 17, 23.3 has it, into
// entries in the kernel's order. Users and groups have to be numbers, or to be
// followed by one as star writes it.
func parseACL(text string) ([]aclEntry, error) {
	var list []aclEntry
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		e, err := parseACLEntry(line)
		if err != nil {
			return nil, fmt.Errorf("ACL entry %.40q: %w", line, err)
		}
		list = append(list, e)
	}
	slices.SortStableFunc(list, func(a, b aclEntry) int {
		return cmp.Or(cmp.Compare(a.tag, b.tag), cmp.Compare(a.id, b.id))
	})
	return list, nil
}

// isMode reports whether an ACL says no more than the permissions of a mode do.
// The kernel keeps none then.
func isMode(acl []aclEntry) bool {
	return !slices.ContainsFunc(acl, func(e aclEntry) bool { return e.tag&(aclUser|aclGroup|aclMask) != 0 })
}

// encodeACL returns what an extended attribute holds of an ACL: a version, 2, and
// the entries (include/uapi/linux/posix_acl_xattr.h).
func encodeACL(acl []aclEntry) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range acl {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

func parseACLEntry(line string) (e aclEntry, err error) {
	fields := strings.Split(line, ":")
	if fields[0] == "default" || fields[0] == "d" {
		fields = fields[1:]
	}
	if len(fields) == 2 { // mask:rwx and other:rwx may do without the name
		fields = []string{fields[0], "", fields[1]}
	}
	if len(fields) < 3 || len(fields) > 4 {
		return e, fmt.Errorf("%w: want tag:name:permissions", ErrBadEntry)
	}
	tags := map[string][2]uint16{ // without a name, and with
		"user": {aclUserObj, aclUser}, "u": {aclUserObj, aclUser},
		"group": {aclGroupObj, aclGroup}, "g": {aclGroupObj, aclGroup},
		"mask": {aclMask}, "m": {aclMask}, "other": {aclOther}, "o": {aclOther},
	}
	name := fields[1]
	if len(fields) == 4 && name != "" {
		name = fields[3]
	}
	tag, ok := tags[fields[0]]
	e.tag, e.id = tag[0], aclNoID
	if name != "" {
		id, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			return e, fmt.Errorf("%w: %q is not a number (tar --xattrs --xattrs-include='*' keeps numbers)", ErrBadEntry, name)
		}
		e.tag, e.id = tag[1], uint32(id)
	}
	if !ok || e.tag == 0 {
		return e, fmt.Errorf("%w: want a user, group, mask or other", ErrBadEntry)
	}
	for _, c := range strings.TrimSpace(fields[2]) {
		bit, ok := map[rune]uint16{'r': 4, 'w': 2, 'x': 1, '-': 0}[c]
		if !ok {
			return e, fmt.Errorf("%w: permissions %q", ErrBadEntry, fields[2])
		}
		e.perm |= bit
	}
	return e, nil
}

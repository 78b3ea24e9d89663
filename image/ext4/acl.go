package ext4

import (
	"encoding/binary"
	"fmt"
)

// Versions and tags of access control lists: include/uapi/linux/posix_acl_xattr.h
// for what system calls take and give, fs/ext4/acl.h for what is on the disk.
const (
	aclVersionVFS  = 2
	aclVersionDisk = 1
	aclUserObj     = 0x01
	aclUser        = 0x02
	aclGroupObj    = 0x04
	aclGroup       = 0x08
	aclMask        = 0x10
	aclOther       = 0x20
)

// diskACL turns the value of system.posix_acl_access or _default into that of
// ext4, which leaves out the IDs of entries that have none.
func diskACL(value []byte) ([]byte, error) {
	le := binary.LittleEndian
	if len(value) < 4 || (len(value)-4)%8 != 0 {
		return nil, fmt.Errorf("%w: access control list of %d bytes, want 4 and 8 for each entry", ErrUnsupported, len(value))
	}
	if v := le.Uint32(value); v != aclVersionVFS {
		return nil, fmt.Errorf("%w: access control list of version %d, want %d", ErrUnsupported, v, aclVersionVFS)
	}
	out := le.AppendUint32(nil, aclVersionDisk)
	for e := value[4:]; len(e) > 0; e = e[8:] {
		tag, perm := le.Uint16(e), le.Uint16(e[2:])
		switch tag {
		case aclUserObj, aclGroupObj, aclMask, aclOther:
			out = append(out, e[:4]...)
		case aclUser, aclGroup:
			out = append(out, e[:8]...)
		default:
			return nil, fmt.Errorf("%w: access control list with an entry of tag %#x", ErrUnsupported, tag)
		}
		if perm > 7 {
			return nil, fmt.Errorf("%w: access control list with permissions %#o, want at most 07", ErrUnsupported, perm)
		}
	}
	return out, nil
}

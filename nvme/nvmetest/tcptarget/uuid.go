package tcptarget

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

// newUUID returns a random UUID: RFC 9562, 5.4.
func newUUID() (string, error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", fmt.Errorf("tcptarget: host identifier: %w", err)
	}
	id[6], id[8] = id[6]&0xf|0x40, id[8]&0x3f|0x80
	x := hex.EncodeToString(id[:])
	return strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:]}, "-"), nil
}

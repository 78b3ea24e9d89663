package authenticode

import (
	"errors"

	"github.com/drivebay/drivebay/image/internal/keypair"
	"github.com/drivebay/drivebay/image/internal/pecoff"
)

// What errors of this package wrap, for errors.Is.
var (
	// ErrNotPE is of a file that is no PE image, as EFI programs are.
	ErrNotPE = pecoff.ErrNotPE
	// ErrLayout is of a PE image that cannot be signed as it is.
	ErrLayout = errors.New("not a PE image that can be signed")
	// ErrKey is of a key or a certificate that cannot sign EFI programs.
	ErrKey = errors.New("not a key for EFI programs")
	// ErrEncrypted is of a private key that wants a passphrase.
	ErrEncrypted = keypair.ErrEncrypted
)

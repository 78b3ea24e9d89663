package authenticode

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/parts"
	"github.com/drivebay/drivebay/image/internal/pecoff"
)

// maxHead is how much of a program is read for its headers, which are within its
// first page or two.
const maxHead = 64 << 10

// program is a program to be signed, and where things are in it.
type program struct {
	entry    filetree.Entry
	signer   *Signer
	original []byte // the head as it is
	head     []byte // the head with the certificates' place, without a checksum
	checksum int    // where that is in the head
	security int    // where the certificates' place is in the head
	digested int64  // how much of the program, with zeros behind it, is digested
	padded   int64  // the size of the program with zeros behind it
}

// Entry returns the file e, an EFI program, with a signature. It reads the head of
// the program; whoever opens the entry reads the program twice, since a checksum of
// all stands in front.
func (s *Signer) Entry(e filetree.Entry) (filetree.Entry, error) {
	added, err := s.certificateSize()
	if err != nil {
		return e, fmt.Errorf("sign EFI program: %w", err)
	}
	p := &program{entry: e, signer: s}
	if err := p.plan(added); err != nil {
		return e, fmt.Errorf("sign EFI program: %w", err)
	}
	e.Size, e.Open, e.Data = p.padded+added, p.open, nil
	return e, nil
}

// plan finds out where everything is, and changes the head for a signature of added
// bytes.
func (p *program) plan(added int64) (err error) {
	if p.entry.Open == nil || !p.entry.Mode.IsRegular() {
		return fmt.Errorf("%w: it is of type %s with %d bytes, want a regular file with content", ErrNotPE, p.entry.Mode.Type(), p.entry.Size)
	}
	if err := p.readHead(); err != nil {
		return err
	}
	h, err := pecoff.Parse(p.original, p.entry.Size)
	if err != nil {
		return err
	}
	sections, err := endOfSections(&h, p.entry.Size)
	if err != nil {
		return err
	}
	p.padded = pecoff.AlignUp(p.entry.Size, certificateAlign)
	if p.digested, err = p.endOfDigested(&h, sections); err != nil {
		return err
	}
	if size := p.padded + added; size > pecoff.MaxSize {
		return fmt.Errorf("%w: signed, it has %d bytes, want at most %d", ErrLayout, size, int64(pecoff.MaxSize))
	}
	p.head = bytes.Clone(p.original[:min(int64(len(p.original)), p.digested)])
	p.checksum, p.security = h.Optional+pecoff.CheckSum, h.Security
	le := binary.LittleEndian
	le.PutUint32(p.head[p.checksum:], 0)
	le.PutUint32(p.head[p.security:], uint32(p.digested))
	le.PutUint32(p.head[p.security+4:], uint32(p.padded-p.digested+added))
	return nil
}

// endOfDigested returns where the certificates begin, behind which one more goes: at
// the end, where there are none yet.
func (p *program) endOfDigested(h *pecoff.Head, sections int64) (int64, error) {
	end := h.Certificates + h.CertificatesSize
	switch {
	case h.Security == 0:
		return 0, fmt.Errorf("%w: its headers have no entry for certificates, want at least 5 data directories", ErrLayout)
	case end == 0:
		return p.padded, nil
	case end != p.entry.Size || end != p.padded || h.Certificates < sections:
		return 0, fmt.Errorf("%w: its certificates are %d bytes at %d, want them behind its sections and to end where it does, at %d, a multiple of %d",
			ErrLayout, h.CertificatesSize, h.Certificates, p.entry.Size, certificateAlign)
	}
	return h.Certificates, nil
}

// endOfSections returns where the sections end in the file. It refuses some with
// room between them: what of that is digested is not told in one way only, and some
// who verify leave it out.
func endOfSections(h *pecoff.Head, size int64) (int64, error) {
	if table := int64(h.Table + len(h.Sections)*pecoff.SectionHeaderSize); h.Headers < table {
		return 0, fmt.Errorf("%w: its headers have %d bytes, want at least %d", ErrLayout, h.Headers, table)
	}
	sections := slices.Clone(h.Sections)
	slices.SortFunc(sections, func(a, b pe.SectionHeader32) int { return cmp.Compare(a.PointerToRawData, b.PointerToRawData) })
	end := h.Headers
	for _, s := range sections {
		if s.SizeOfRawData == 0 {
			continue
		}
		if at := int64(s.PointerToRawData); at != end {
			return 0, fmt.Errorf("%w: its section %s begins at %d, want it at %d, where what is before it ends", ErrLayout, pecoff.SectionName(&s), at, end)
		}
		end += int64(s.SizeOfRawData)
	}
	if end > size {
		return 0, fmt.Errorf("%w: its headers end at %d, want that within its %d bytes", ErrLayout, end, size)
	}
	return end, nil
}

// readHead reads the first bytes.
func (p *program) readHead() error {
	r, err := p.entry.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	p.original = make([]byte, min(p.entry.Size, maxHead))
	if _, err := io.ReadFull(r, p.original); err != nil {
		return fmt.Errorf("read the first %d bytes: %w", len(p.original), err)
	}
	return nil
}

// open signs the program and opens what comes of it.
func (p *program) open() (filetree.Content, error) {
	digest, sum := sha256.New(), pecoff.Checksum{}
	_, _ = sum.Write(p.head) // hashes never fail
	for _, part := range [][]byte{p.head[:p.checksum], p.head[p.checksum+4 : p.security], p.head[p.security+8:]} {
		_, _ = digest.Write(part)
	}
	body := p.body()
	r := parts.NewReader(body)
	_, err := io.CopyN(io.MultiWriter(digest, &sum), r, p.digested-int64(len(p.head)))
	if err == nil {
		_, err = io.Copy(&sum, r) // the certificates that there are
	}
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	certificate, err := p.signer.certificate(digest.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("sign EFI program: %w", err)
	}
	_, _ = sum.Write(certificate)
	head := bytes.Clone(p.head)
	binary.LittleEndian.PutUint32(head[p.checksum:], sum.Value())
	return parts.NewReader(parts.Bytes("head", head), body, parts.Bytes("certificate", certificate)), nil
}

// body returns the part of the program behind its head. Where it is read again, it has
// to be what was read first.
func (p *program) body() parts.Part {
	var first []byte // its digest
	atEnd := func(sum []byte) error {
		if first == nil {
			first = sum
		}
		if !bytes.Equal(sum, first) {
			return fmt.Errorf("EFI program: %w: it is another when it is read again", filetree.ErrChanged)
		}
		return nil
	}
	return parts.Part{
		Name: "EFI program", Size: p.entry.Size - int64(len(p.head)), Pad: p.padded - p.entry.Size,
		Open: func() (filetree.Content, error) {
			r, err := p.entry.Open()
			if err != nil {
				return nil, err
			}
			head := make([]byte, len(p.head))
			_, err = io.ReadFull(r, head)
			switch {
			case err == nil && bytes.Equal(head, p.original[:len(head)]):
				return &summed{r, sha256.New(), atEnd}, nil
			case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
				err = fmt.Errorf("EFI program: %w: its first %d bytes are others", filetree.ErrChanged, len(head))
			}
			return nil, errors.Join(err, r.Close())
		},
	}
}

// summed is a content of which the digest is wanted at its end.
type summed struct {
	filetree.Content
	sum   hash.Hash
	atEnd func(sum []byte) error
}

// Read reads on.
func (s *summed) Read(b []byte) (int, error) {
	n, err := s.Content.Read(b)
	_, _ = s.sum.Write(b[:n]) // hashes never fail
	if errors.Is(err, io.EOF) {
		err = cmp.Or(s.atEnd(s.sum.Sum(nil)), err)
	}
	return n, err
}

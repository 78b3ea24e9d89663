package squashfs

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/drivebay/drivebay/image/filetree"
)

// params are what an image depends on but for the tree and its time of creation.
type params struct {
	tree        *filetree.Tree
	compression Compression
	level       int
	blockSize   int64
	tails       Tails
	drop        bool
}

// image is a file system without its superblock in a temporary file.
type image struct {
	spool   *spool
	sb      superblock // but for the time
	files   int64
	dropped []string
	users   int // plans that are being written: FileSystem.mu guards it
}

// builder makes an image.
type builder struct {
	ctx context.Context
	params
	spool   *spool
	dropped []string

	// What the scan finds.
	inodeOf  []uint32  // by node
	nodeOf   []uint32  // from inode 1 on
	refs     []metaRef // the same, where the inodes are
	ids      []uint32
	idOf     map[uint32]uint16
	xattrs   xattrs
	sizes    []int64        // of files with blocks of their own
	sameSize map[int64]bool // those that are there twice
	tailsOf  []uint8        // how many tails there are of each length, 2 being many

	// What is made while the contents are written.
	buf           []byte
	inodes        *metaWriter
	dirs          *metaWriter
	fragments     *metaWriter
	fragmentCount uint32
	failed        atomic.Bool // the writing has met an error
}

// newImage reads, compresses and lays out a tree, in a file in dir.
func newImage(ctx context.Context, p params, dir string) (*image, error) {
	b := &builder{ctx: ctx, params: p, idOf: map[uint32]uint16{}, sameSize: map[int64]bool{}, tailsOf: make([]uint8, p.blockSize)}
	if b.tree == nil {
		b.tree = filetree.New()
	}
	c, err := b.newCompressor()
	if err != nil {
		return nil, err
	}
	b.inodes, b.dirs, b.fragments = newMetaWriter(c), newMetaWriter(c), newMetaWriter(c)
	b.xattrs = xattrs{table: newMetaWriter(c), idOf: map[string]uint32{}, values: map[string]metaRef{}, of: map[uint32]uint32{}}
	if err := b.scan(); err != nil {
		return nil, err
	}
	if b.spool, err = newSpool(dir); err != nil {
		return nil, err
	}
	sb, err := b.build(c)
	if err != nil {
		_ = b.spool.close()
		return nil, err
	}
	return &image{spool: b.spool, sb: sb, files: int64(b.tree.Len()), dropped: b.dropped}, nil
}

func (b *builder) newCompressor() (compressor, error) {
	c, err := newCompressor(b.compression, b.level, int(b.blockSize))
	if err != nil {
		err = fmt.Errorf("squashfs: %s: %w", b.compression, err)
	}
	return c, err
}

// build writes all of the image to the spool, behind the place of the superblock.
func (b *builder) build(c compressor) (superblock, error) {
	head := make([]byte, superblockLen)
	options := b.compression.options(b.level)
	if options != nil {
		head = append(head, byte(len(options)), metaRaw>>8)
		head = append(head, options...)
	}
	if err := b.spool.write(head); err != nil {
		return superblock{}, err
	}
	if err := b.contents(runtime.GOMAXPROCS(0)); err != nil {
		return superblock{}, err
	}
	if err := b.directories(); err != nil {
		return superblock{}, err
	}
	sb := b.newSuperblock(options != nil)
	if err := b.tables(&sb, c); err != nil {
		return superblock{}, err
	}
	sb.BytesUsed = uint64(b.spool.pos())
	return sb, b.spool.finish()
}

// tables writes the tables in the order that readers rely on: each ends where the
// next begins.
func (b *builder) tables(sb *superblock, c compressor) error {
	for _, t := range []struct {
		name string
		m    *metaWriter
		at   *uint64
	}{{"inodes", b.inodes, &sb.InodeTable}, {"directories", b.dirs, &sb.DirectoryTable}} {
		start, err := t.m.table(b.spool)
		if err != nil {
			return err
		}
		if t.m.size > math.MaxUint32 {
			return fmt.Errorf("squashfs: table of %s of %d bytes: %w: want less than 4 GiB", t.name, t.m.size, ErrUnsupported)
		}
		*t.at = uint64(start)
	}
	lookup, ids := newMetaWriter(c), newMetaWriter(c)
	for _, ref := range b.refs {
		_, _ = lookup.Write(appendStruct(b.buf[:0], ref))
	}
	for _, id := range b.ids {
		_, _ = ids.Write(appendStruct(b.buf[:0], id))
	}
	for _, t := range []struct {
		m  *metaWriter
		at *uint64
	}{{b.fragments, &sb.FragmentTable}, {lookup, &sb.LookupTable}, {ids, &sb.IDTable}} {
		start, err := t.m.indexed(b.spool)
		if err != nil {
			return err
		}
		*t.at = uint64(start)
	}
	var err error
	sb.XattrTable, err = b.xattrs.write(b.spool, c)
	return err
}

// newSuperblock returns the superblock as far as it does not tell of the tables.
func (b *builder) newSuperblock(options bool) superblock {
	sb := superblock{
		Magic: magic, Major: 4,
		Inodes: uint32(len(b.nodeOf)), Fragments: b.fragmentCount, IDs: uint16(len(b.ids)),
		BlockSize: uint32(b.blockSize), BlockLog: uint16(bits.TrailingZeros64(uint64(b.blockSize))),
		Compression: compressions[b.compression].id,
		Flags:       flagNoDoubles | flagExport,
		RootInode:   b.refs[0],
	}
	for _, f := range []struct {
		is   bool
		flag uint16
	}{
		{options, flagOptions},
		{b.compression == None, flagRawInodes | flagRawData | flagRawTails | flagRawXattrs | flagRawIDs},
		{b.tails == TailsNever, flagNoTails},
		{b.tails == TailsAlways, flagAllTails},
		{len(b.xattrs.ids) == 0, flagNoXattrs},
	} {
		if f.is {
			sb.Flags |= f.flag
		}
	}
	return sb
}

// checkTime refuses a time of creation that a superblock cannot hold.
func checkTime(t time.Time) error {
	if t.Unix() < 0 || t.Unix() > maxTime {
		return fmt.Errorf("squashfs: creation time %s: %w: want 1970 to 2106", t.UTC().Format(time.RFC3339), ErrOption)
	}
	return nil
}

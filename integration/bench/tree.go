package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// spec describes a tree of files to be made.
type spec struct {
	dir    string
	size   int64 // of all contents together, in bytes
	files  int
	sparse int64 // size of a sparse file, 0 for none
	mixed  bool  // small and large files, links, devices, attributes
}

func (s spec) args() []string {
	return []string{
		"-size", strconv.FormatInt(s.size, 10), "-files", strconv.Itoa(s.files),
		"-sparse", strconv.FormatInt(s.sparse, 10), "-mixed=" + strconv.FormatBool(s.mixed), s.dir,
	}
}

func parseSpec(args []string) (s spec, err error) {
	flags := flag.NewFlagSet("tree", flag.ContinueOnError)
	flags.Int64Var(&s.size, "size", 0, "")
	flags.IntVar(&s.files, "files", 0, "")
	flags.Int64Var(&s.sparse, "sparse", 0, "")
	flags.BoolVar(&s.mixed, "mixed", false, "")
	err = flags.Parse(args)
	s.dir = flags.Arg(0)
	return s, err
}

// filesPerDir is how many regular files a directory holds.
const filesPerDir = 20

// made is the time of all that the trees hold, but for what links do to it.
var made = time.Unix(1_600_000_000, 123_456_789)

// maker makes a tree.
type maker struct {
	spec
	rand    *rand.Rand
	content []byte // what all contents are pieces of: nothing that compresses
	left    error  // why something was left out
}

// makeTree makes the tree. What this user or system cannot make is left out, and
// told by the error, which wraps errLeftOut.
func makeTree(s spec) error {
	m := &maker{spec: s, rand: rand.New(rand.NewPCG(1, 2)), content: make([]byte, 8*mib)}
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(m.content)
	sizes := m.sizes()
	for i, size := range sizes {
		name := m.name(i)
		if i%filesPerDir == 0 {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				return err
			}
		}
		if err := m.file(name, size); err != nil {
			return err
		}
		if s.mixed {
			if err := m.extra(i, name); err != nil {
				return err
			}
		}
	}
	if s.sparse > 0 {
		if err := m.sparseFile(filepath.Join(s.dir, "sparse")); err != nil {
			return err
		}
	}
	return m.left
}

var errLeftOut = errors.New("the tree has no")

// name returns the path of file i: directories of 20 in directories of 20.
func (m *maker) name(i int) string {
	dir := i / filesPerDir
	return filepath.Join(m.dir, fmt.Sprintf("d%03d", dir/20), fmt.Sprintf("sub-%02d", dir%20), fmt.Sprintf("file-%07d.bin", i))
}

// sizes returns the size of each file: of a mixed tree, most are small, and a few
// hold most of the bytes, as in a root file system.
func (m *maker) sizes() []int64 {
	weights, sum := make([]float64, m.files), 0.0
	for i := range weights {
		weights[i] = 1
		if m.mixed {
			weights[i] = math.Exp(2 * m.rand.NormFloat64())
		}
		sum += weights[i]
	}
	sizes, left := make([]int64, m.files), m.size
	for i := range sizes {
		sizes[i] = min(left, int64(float64(m.size)*weights[i]/sum))
		left -= sizes[i]
	}
	sizes[len(sizes)-1] += left
	return sizes
}

func (m *maker) file(name string, size int64) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	for size > 0 && err == nil {
		from := m.rand.IntN(len(m.content) / 2)
		piece := m.content[from:min(int64(from)+size, int64(len(m.content)))]
		_, err = f.Write(piece)
		size -= int64(len(piece))
	}
	return errors.Join(err, f.Close(), os.Chtimes(name, made, made))
}

// extra adds what is rarer than files beside the file i: links, attributes,
// owners, devices.
func (m *maker) extra(i int, name string) error {
	switch i % 50 {
	case 7:
		return os.Link(name, name+".link")
	case 17:
		return os.Symlink(filepath.Base(name), name+".symlink")
	case 27:
		m.leaveOut("extended attributes", setXattr(name, "user.drivebay.bench", "value "+strconv.Itoa(i)))
	case 37:
		m.leaveOut("foreign owners", os.Chown(name, 1000+i%7, 1000))
	case 47:
		if i%1000 == 47 {
			m.leaveOut("devices", makeDevice(name+".dev", 1, uint32(3+i%5)))
		}
	}
	return nil
}

// leaveOut remembers that there is something that could not be made.
func (m *maker) leaveOut(what string, err error) {
	if err != nil && m.left == nil {
		m.left = fmt.Errorf("%w %s, and perhaps other things: %w", errLeftOut, what, err)
	}
}

// sparseFile makes a file with 4 KiB of data in a thousand places.
func (m *maker) sparseFile(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(m.sparse); err != nil {
		return err
	}
	const places = 1000
	for i := range int64(places) {
		off := m.sparse / places * i / 4096 * 4096
		if _, err := f.WriteAt(m.content[i*4096:][:min(4096, m.sparse-off)], off); err != nil {
			return err
		}
	}
	return f.Close()
}

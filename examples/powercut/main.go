// Command powercut saves a text in a file, in such a way that a power cut at any
// time leaves the old text or the new one, and the new one once it has said so.
//
//	go run ./examples/powercut [FILE TEXT]
//
// Without arguments it saves one in a temporary directory. What is to be seen here
// is its test, which cuts the power at every write, and finds out what save does
// right and a careless one does not:
//
//	go test -v ./examples/powercut
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "powercut:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	switch len(args) {
	case 0:
		dir, err := os.MkdirTemp("", "powercut")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		args = []string{filepath.Join(dir, "file"), "hello"}
	case 2:
	default:
		return fmt.Errorf("%d arguments: want a file and a text, or none", len(args))
	}
	if err := save(filepath.Dir(args[0]), filepath.Base(args[0]), []byte(args[1])); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "saved %d bytes in %s\n", len(args[1]), args[0])
	return nil
}

// save makes content the whole content of the file name in a directory: on stable
// storage when it returns, and never anything but the old or the new one.
func save(dir, name string, content []byte) error {
	temp, err := os.Create(filepath.Join(dir, name+".new"))
	if err != nil {
		return err
	}
	_, err = temp.Write(content)
	// The name must not lead to a content that is not there yet.
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	// And the name is the directory's.
	d, err := os.Open(dir + "/")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

package filetree_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"time"

	"github.com/drivebay/drivebay/image/filetree"
)

// A tree made in code may hold what only root could put on a disk.
func Example() {
	tree := filetree.New()
	for path, entry := range map[string]filetree.Entry{
		"etc/hostname": filetree.File([]byte("drivebay\n"), 0o644),
		"bin":          filetree.Symlink("usr/bin"),
		"dev/null":     {Mode: fs.ModeDevice | fs.ModeCharDevice | 0o666, Device: filetree.Device{Major: 1, Minor: 3}},
		"var/empty":    filetree.Dir(0o555),
	} {
		if _, err := tree.Add(path, entry); err != nil {
			log.Fatal(err)
		}
	}
	if err := tree.Walk(func(n filetree.Node) error {
		fmt.Println(n.Mode(), n.Path())
		return nil
	}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// drwxr-xr-x .
	// Lrwxrwxrwx bin
	// drwxr-xr-x dev
	// Dcrw-rw-rw- dev/null
	// drwxr-xr-x etc
	// -rw-r--r-- etc/hostname
	// drwxr-xr-x var
	// dr-xr-xr-x var/empty
}

// What is read from a directory is compared with what has become of it.
func ExampleFromDir() {
	dir, err := os.MkdirTemp("", "filetree")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(dir+"/motd", []byte("hello\n"), 0o644); err != nil {
		log.Fatal(err)
	}
	tree, err := filetree.FromDir(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close()
	n, _ := tree.Lookup("motd")
	err = n.Stream(func(r io.Reader, at filetree.Range) error {
		_, err := io.CopyN(os.Stdout, r, at.Length)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello
}

func ExampleFromTar() {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	_ = w.WriteHeader(&tar.Header{Name: "./bin/ping", Mode: 0o755, Size: 4, Uid: 1000, PAXRecords: map[string]string{
		"SCHILY.xattr.user.mime_type": "text/plain",
	}})
	_, _ = io.WriteString(w, "ping")
	_ = w.Close()

	tree, err := filetree.FromTar(&archive)
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close()
	n, _ := tree.Lookup("bin/ping")
	fmt.Println(n.Mode(), n.UID(), n.Size(), n.Xattrs()[0].Name)
	// Output: -rwxr-xr-x 1000 4 user.mime_type
}

// An overlay for /etc, of files that belong to root whoever has made them.
func ExampleMerge() {
	base, overlay := filetree.New(), filetree.New()
	_, _ = base.Add("etc/hostname", filetree.File([]byte("localhost\n"), 0o644))
	_, _ = base.Add("etc/passwd", filetree.File([]byte("root:x:0:0::/:/bin/sh\n"), 0o644))
	for _, name := range []string{"hostname", "hostname.bak", "cron.d/backup"} {
		file := filetree.File([]byte(name), 0o600)
		file.UID, file.GID = 1000, 1000
		_, _ = overlay.Add(name, file)
	}
	tree, err := filetree.Merge(filetree.Layer{Tree: base}, filetree.Layer{
		Tree:    overlay,
		To:      "etc",
		Exclude: []string{"*.bak"},
		Overrides: []filetree.Override{
			{UID: new(uint32(0)), GID: new(uint32(0))},
			{Match: "/cron.d/**", Mode: new(fs.FileMode(0o640))},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close()
	_ = tree.Walk(func(n filetree.Node) error {
		if !n.IsDir() {
			fmt.Println(n.Mode(), n.UID(), n.Size(), n.Path())
		}
		return nil
	})
	// Output:
	// -rw-r----- 0 13 etc/cron.d/backup
	// -rw------- 0 8 etc/hostname
	// -rw-r--r-- 0 22 etc/passwd
}

func ExampleDiff() {
	want, got := filetree.New(), filetree.New()
	add := func(t *filetree.Tree, path string, perm fs.FileMode, text string) {
		e := filetree.File([]byte(text), perm)
		e.ModTime = time.Unix(1700000000, int64(len(text)))
		_, _ = t.Add(path, e)
	}
	add(want, "etc/hostname", 0o644, "drivebay\n")
	add(got, "etc/hostname", 0o644, "Drivebay\n")
	add(want, "etc/shadow", 0o600, "root::")
	add(got, "etc/shadow", 0o644, "root:::")
	add(want, "sbin/init", 0o755, "#!/bin/sh\n")

	differences, err := filetree.Diff(context.Background(), want, got, filetree.DiffOptions{
		TimeResolution: 2 * time.Second, // that of FAT
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range differences {
		fmt.Println(d)
	}
	// Output:
	// etc/hostname: content 0x44 at byte 0, want 0x64
	// etc/shadow: mode 0644, want 0600
	// etc/shadow: size 7, want 6
	// sbin: missing: directory with 1 file
}

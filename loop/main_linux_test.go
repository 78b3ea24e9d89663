package loop_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drivebay/drivebay/loop"
)

// childEnv makes this test binary run one of [children] instead of the tests.
const childEnv = "LOOP_TEST_CHILD"

// scratch is a directory on a disk; its name marks the files of this run, and
// with them the loop devices.
var scratch string

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := children[name](); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	dir, err := os.MkdirTemp("/var/tmp", mark())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	scratch = dir
	code := m.Run()
	left := leaked()
	// A udevd can have the last one open for a moment more.
	for deadline := time.Now().Add(time.Minute); len(left) > 0 && time.Now().Before(deadline); left = leaked() {
		time.Sleep(time.Millisecond)
	}
	if len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: loop devices left behind: %v\n", left)
		code = 1
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// mark is in the name of every file that this run attaches.
func mark() string { return fmt.Sprintf("looptest-%d-", os.Getpid()) }

// leaked returns the devices that this run left bound.
func leaked() []string {
	infos, _ := loop.List()
	var left []string
	for _, info := range infos {
		if strings.Contains(info.BackingFile, mark()) {
			left = append(left, info.Name+" of "+filepath.Base(info.BackingFile))
		}
	}
	return left
}

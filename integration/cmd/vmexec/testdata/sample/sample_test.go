package sample

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestPass(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Error("the guest's user is not root")
	}
	b, err := os.ReadFile("testdata/input")
	if err != nil || string(b) != "from testdata" {
		t.Errorf("testdata/input: %q, %v", b, err)
	}
	if Sign(1) != 1 {
		t.Error("Sign(1)")
	}
	t.Log("value:", os.Getenv("SAMPLE"))
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), "artifact"), []byte("made in the guest"), 0o644); err != nil {
		t.Error(err)
	}
}

func TestSkip(t *testing.T) { t.Skip("not today") }

func TestFail(t *testing.T) { t.Error("it fails") }

func TestSlow(t *testing.T) { waitForever() }

func waitForever() { time.Sleep(time.Hour) }

func TestRace(t *testing.T) {
	n := 0
	done := make(chan bool)
	go func() { n++; close(done) }()
	n++
	<-done
	t.Log(n)
}

func FuzzSign(f *testing.F) {
	f.Add(1)
	f.Fuzz(func(t *testing.T, n int) {
		if n != 1 {
			t.Error("found")
		}
	})
}

func BenchmarkSign(b *testing.B) {
	for b.Loop() {
		Sign(b.N)
	}
}

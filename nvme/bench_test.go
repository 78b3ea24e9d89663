package nvme

import (
	"context"
	"testing"
)

// nullTransport answers everything with success.
type nullTransport struct{}

func (nullTransport) Submit(context.Context, Command) (Completion, error) { return Completion{}, nil }

func BenchmarkDecode(b *testing.B) {
	page := make([]byte, 4096)
	b.Run("SMARTLog", func(b *testing.B) {
		b.ReportAllocs()
		l := new(SMARTLog)
		for b.Loop() {
			_ = Decode(page, l)
		}
	})
	b.Run("IdentifyController", func(b *testing.B) {
		b.ReportAllocs()
		id := new(IdentifyController)
		for b.Loop() {
			_ = Decode(page, id)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	b.ReportAllocs()
	l := new(SMARTLog)
	for b.Loop() {
		_, _ = Encode(l)
	}
}

// BenchmarkRead is what a read costs above its transport.
func BenchmarkRead(b *testing.B) {
	d := newFakeDrive()
	n, err := NewController(d).Namespace(b.Context(), 1)
	if err != nil {
		b.Fatal(err)
	}
	n.c.t = nullTransport{}
	data := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		_ = n.Read(b.Context(), 0, data, IOOptions{})
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	n, err := NewController(newFakeDrive()).Namespace(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	n.c.t = nullTransport{}
	data := make([]byte, 4096)
	if got := testing.AllocsPerRun(100, func() { _ = n.Read(t.Context(), 0, data, IOOptions{}) }); got != 0 {
		t.Errorf("Read allocates %v times, want 0", got)
	}
}

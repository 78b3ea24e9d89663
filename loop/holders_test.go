package loop

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseMount(t *testing.T) {
	for _, tc := range []struct {
		line string
		want mountLine
		ok   bool
	}{
		{"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n",
			mountLine{DeviceNumber{98, 0}, "/mnt2", "/dev/root"}, true},
		{`41 1 0:38 / /a\040dir\134x rw - btrfs /dev/loop3p1 rw`,
			mountLine{DeviceNumber{0, 38}, `/a dir\x`, "/dev/loop3p1"}, true},
		{"36 35 98:0 /mnt1 /mnt2 rw,noatime", mountLine{}, false},
		{"36 35 98 / / rw - ext3 /dev/root rw", mountLine{point: "/", source: "/dev/root"}, false},
		{"36 - ext3", mountLine{}, false},
		{"", mountLine{}, false},
	} {
		got, ok := parseMount(tc.line)
		require.Equal(t, tc.ok, ok, tc.line)
		require.Equal(t, tc.want, got, tc.line)
	}
}

func FuzzParseMount(f *testing.F) {
	f.Add("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n")
	f.Add(" - ")
	f.Fuzz(func(t *testing.T, line string) {
		if m, ok := parseMount(line); ok && m.source == "" {
			t.Errorf("%q: no source", line)
		}
	})
}

func TestHolderTexts(t *testing.T) {
	h := []Holder{
		{HeldByMount, "loop3p1", "/mnt", 0}, {HeldByMount, "loop3p1", "/mnt", 12},
		{HeldBySwap, "loop3p2", "/dev/loop3p2", 0}, {HeldByDevice, "loop3", "dm-0", 0},
		{HeldByProcess, "loop3", "dd", 77}, {HeldByFile, "loop3p1", "bash", 78},
	}
	require.EqualError(t, &BusyError{"loop3", h[:4]}, "device is in use: loop3p1 is mounted at /mnt, "+
		"loop3p1 is mounted at /mnt for process 12, loop3p2 is swap space, loop3 is part of dm-0")
	require.EqualError(t, &BusyError{"loop3", h[4:]}, "device is in use: loop3 is open in process 77 (dd), "+
		"a file on loop3p1 is open in process 78 (bash)")
	require.EqualError(t, &BusyError{"loop3", h[1:]}, "device is in use: loop3p1 is mounted at /mnt for process 12, "+
		"loop3p2 is swap space, loop3 is part of dm-0, loop3 is open in process 77 (dd), and 1 more")
	require.EqualError(t, &BusyError{"loop3", nil}, "device is in use, by whom cannot be seen from here")
	require.ErrorIs(t, &BusyError{}, ErrBusy)
	require.Equal(t, "swap", HeldBySwap.String())
	require.Equal(t, "HolderKind(9)", HolderKind(9).String())
}

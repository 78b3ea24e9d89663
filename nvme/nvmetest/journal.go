package nvmetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drivebay/drivebay/nvme"
)

// Entry is one thing that was done to the drive: a command, or what happened
// without one.
type Entry struct {
	Controller uint16 // its identifier; 0 is the whole drive
	Begin, End time.Duration

	// Command has no buffers; DataLen and MetadataLen tell their lengths.
	Command     nvme.Command
	DataLen     int
	MetadataLen int
	Completion  nvme.Completion
	Err         error // set, and Completion not, if there was no answer

	// Happened is set, and Command not, for a reset, a power cycle and the like.
	Happened string
}

// String shows the entry in one line.
func (e Entry) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%v", e.Begin)
	if e.End != e.Begin {
		fmt.Fprintf(&s, "+%v", e.End-e.Begin)
	}
	if e.Controller != 0 {
		fmt.Fprintf(&s, " controller %d", e.Controller)
	}
	if e.Happened != "" {
		return s.String() + ": " + e.Happened
	}
	fmt.Fprintf(&s, ": %v", e.Command)
	if e.DataLen > 0 {
		fmt.Fprintf(&s, " %d bytes", e.DataLen)
	}
	if e.Err != nil {
		fmt.Fprintf(&s, ": %v", e.Err)
		return s.String()
	}
	fmt.Fprintf(&s, ": %v", e.Completion.Status)
	if e.Completion.Result != 0 {
		fmt.Fprintf(&s, ", result %Xh", e.Completion.Result)
	}
	return s.String()
}

// journal keeps the newest entries.
type journal struct {
	limit   int
	entries []Entry
	first   int // of the ring, once it is full
	lost    int
}

func (j *journal) add(e Entry) {
	switch {
	case j.limit <= 0:
		j.lost++
	case len(j.entries) < j.limit:
		j.entries = append(j.entries, e)
	default:
		j.entries[j.first] = e
		j.first = (j.first + 1) % j.limit
		j.lost++
	}
}

// Journal returns what was done to the drive, the oldest first. No more than
// the profile's JournalLimit is kept; lost is how many older entries are gone.
func (d *Drive) Journal() (entries []Entry, lost int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	j := &d.journal
	return slices.Concat(j.entries[j.first:], j.entries[:j.first]), j.lost
}

// ForgetJournal empties the journal.
func (d *Drive) ForgetJournal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.journal = journal{limit: d.journal.limit, entries: d.journal.entries[:0]}
}

// happened writes down what was no command.
func (d *Drive) happened(controller uint16, format string, args ...any) {
	d.journal.add(Entry{Controller: controller, Begin: d.now, End: d.now, Happened: fmt.Sprintf(format, args...)})
}

package repart

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"
)

// maxFile is the largest definition in bytes.
const maxFile = 1 << 20

// setting is an assignment of a file.
type setting struct {
	Place
	key, value string
}

// logicalLine is a line of a unit file with those that continue it.
type logicalLine struct {
	number int // of its first line
	text   string
}

// readUnit reads the settings of the section [Partition] of a file, in order.
func readUnit(name string) ([]setting, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > maxFile:
		return nil, Place{File: name}.failf("over %d bytes long: want less", maxFile)
	}
	return parseUnit(name, string(b))
}

// parseUnit takes a unit file apart (systemd.syntax(7)). What a line means is
// go-systemd's to say; beside it stands which line that was, which go-systemd 22.7
// does not tell. It joins no lines that are continued, and passes over what stands
// before the first section, so that it is given what is left when that is done.
func parseUnit(name, text string) ([]setting, error) {
	lines, err := logicalLines(name, text)
	if err != nil {
		return nil, err
	}
	var list []setting
	section := ""
	for _, line := range lines {
		at := Place{name, line.number}
		sections, err := unit.DeserializeSections(strings.NewReader(withSection(section, line.text)))
		if err != nil {
			return nil, at.failf("not a unit file: %w", err)
		}
		if isHeader(line.text) {
			if section, err = sectionName(at, sections); err != nil {
				return nil, err
			}
			continue
		}
		s, err := lineSetting(at, section, sections)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(section, "X-") && !strings.HasPrefix(s.key, "X-") { // which are for others
			list = append(list, s)
		}
	}
	return list, nil
}

// isHeader reports whether a line begins a section.
func isHeader(text string) bool { return strings.HasPrefix(text, "[") }

// withSection returns a unit file of one line.
func withSection(section, text string) string {
	if isHeader(text) {
		return text + "\n"
	}
	return "[" + section + "]\n" + text + "\n"
}

func sectionName(at Place, sections []*unit.UnitSection) (string, error) {
	if len(sections) != 1 {
		return "", at.failf("not a unit file: want one section in a line")
	}
	name := sections[0].Section
	if name != "Partition" && !strings.HasPrefix(name, "X-") {
		return "", at.failf("section [%s]: want [Partition]", name)
	}
	return name, nil
}

func lineSetting(at Place, section string, sections []*unit.UnitSection) (setting, error) {
	if section == "" {
		return setting{}, at.failf("a setting before the first section: want [Partition] before it")
	}
	if len(sections) != 1 || len(sections[0].Entries) != 1 {
		return setting{}, at.failf("not a unit file: want a setting such as Type=root")
	}
	e := sections[0].Entries[0]
	// A backslash at the end makes go-systemd look for another line.
	return setting{at, e.Name, strings.TrimSuffix(e.Value, "\n")}, nil
}

// logicalLines returns the lines that say something. A backslash at the end of one
// stands for a space, behind which the next goes on; comments between them are
// passed over (systemd's src/shared/conf-parser.c, config_parse).
func logicalLines(name, text string) ([]logicalLine, error) {
	var list []logicalLine
	open := false // the last one is continued
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.ContainsRune(line, 0) {
			return nil, Place{name, number}.failf("not a unit file: it has a NUL")
		}
		start := strings.TrimLeft(line, " \t")
		if strings.HasPrefix(start, "#") || strings.HasPrefix(start, ";") || start == "" && !open {
			continue
		}
		if !open {
			list = append(list, logicalLine{number: number})
		}
		if open = isContinued(line); open {
			line = line[:len(line)-1] + " "
		}
		list[len(list)-1].text += line
	}
	for i := range list {
		if list[i].text = strings.TrimSpace(list[i].text); len(list[i].text) >= unit.SYSTEMD_LINE_MAX {
			return nil, &Error{Place{name, list[i].number}, fmt.Errorf("%w: want several settings, which add up", unit.ErrLineTooLong)}
		}
	}
	return list, nil
}

// isContinued reports whether a line ends with a backslash that is not escaped.
func isContinued(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

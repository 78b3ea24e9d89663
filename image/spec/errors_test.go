package spec

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// parseError is a file that is refused, and what is said of it, where % stands for
// the name of the file and FORMATS for all formats.
type parseError struct{ name, yaml, want string }

var parseErrors = []parseError{
	{"empty", "# nothing\n", `%:1:1: spec is empty: want at least partitions`},
	{"not YAML", "size: [1\n", `%:1:7: not YAML: sequence end token ']' not found`},
	{"two documents", "size: 1MiB\n---\nsize: 1MiB\n", `%:3:1: a second document: want one disk in a file`},
	{"no mapping", "- size\n", `%:1:1: spec: want a mapping, not a list`},
	{"duplicate key", "size: 1MiB\nsize: 2MiB\n", `%:2:1: not YAML: mapping key "size" already defined at [1:1]`},
	{"unknown key", "sizes: 1MiB\n", `%:1:1: unknown key "sizes": did you mean size?`},
	{"snake case", "sector_size: 512\n", `%:1:1: unknown key "sector_size": did you mean sector-size?`},
	{"swapped letters", "tabel: gpt\n", `%:1:1: unknown key "tabel": did you mean table?`},
	{"foreign key", "disk: x\n", `%:1:1: unknown key "disk": want one of table, sector-size, size, align, seed, time, id, partitions, blobs`},
	{"key of a number", "1: x\n", `%:1:1: want a key that is a word`},
	{
		"bad size", "partitions:\n  - name: esp\n  - name: root\n    size: 2 gigs\n",
		`%:4:11: partition "root": size "2 gigs": want a number of bytes with an optional unit (KiB, MiB, GiB, TiB, or kB, MB, GB, TB), such as 64MiB or 1.5GiB`,
	},
	{"size of nothing", "size:\n", `%:1:7: size: want a number of bytes with an optional unit (KiB, MiB, GiB, TiB, or kB, MB, GB, TB), such as 64MiB or 1.5GiB, not nothing`},
	{"fraction of a byte", "size: 1.0001KiB\n", `%:1:7: size "1.0001KiB": want a whole number of bytes`},
	{"bounds", "partitions: [{size: {}}]", `%:1:21: partition 1: size: want min, max, or both`},
	{"zero size", "partitions: [{size: 0}]", `%:1:21: partition 1: size 0: want a size, or none for one that fits the content`},
	{"number for a name", "partitions:\n- name: 5\n", `%:2:9: partition "5": name 5: want a text: put it in quotes, "5"`},
	{"text for a number", "sector-size: big\n", `%:1:14: sector-size "big": want a whole number, not negative`},
	{"sector size", "sector-size: 520\n", `%:1:14: sector-size 520: want 512 or 4096`},
	{"octal number", "partitions: [{weight: 010}]\n", `%:1:23: partition 1: weight 010: want a whole number, not negative`},
	{"mapping for a list", "partitions: {name: x}\n", `%:1:13: partitions: want a list, not a mapping`},
	{"text for a mapping", "partitions: [root]\n", `%:1:14: partition 1: "root": want a mapping`},
	{"table", "table: apm\n", `%:1:8: table "apm": want gpt, mbr or none`},
	{"seed", "seed: 1\n", `%:1:7: seed "1": want a UUID that is not zero, such as 8f1c2c3e-0000-4000-8000-000000000001`},
	{"id", "id: xyz\n", `%:1:5: id "xyz": want a GUID, or for an MBR disk a signature of 8 hexadecimal digits`},
	{"time", "time: today\n", `%:1:7: time "today": want a time such as 2026-01-31T12:00:00Z, a date such as 2026-01-31, or seconds since 1970`},
	{"type", "partitions: [{type: rot}]", `%:1:21: partition 1: type "rot": want a name such as esp or root-x86-64, a GUID, or a byte such as 0x0c`},
	{
		"attribute", "partitions: [{attributes: [growfs]}]",
		`%:1:28: partition 1: attribute "growfs": "growfs" is not an attribute: want one of required, no-block-io, legacy-boot, grow-fs, read-only, no-auto, or bit-N`,
	},
	{"free", "partitions: [{free: much}]", `%:1:21: partition 1: free "much": want a percentage, or a number of bytes with an optional unit, or their sum, such as 25%, 100MiB or 10%+1GiB`},
	{"free beyond", "partitions: [{free: 7EiB+7EiB}]", `%:1:21: partition 1: free "7EiB+7EiB": want at most 9223372036854775807 bytes`},
	{"no alias", "size: *x\n", `%:1:7: alias *x: there is no anchor of this name before it`},
	{"tag", "size: !!int 5\n", `%:1:7: size: want a number of bytes with an optional unit (KiB, MiB, GiB, TiB, or kB, MB, GB, TB), such as 64MiB or 1.5GiB, not a tag`},
	{"deep", strings.Repeat("[", 100000), `%:1:1: not a spec: over 1000 levels deep`},
	{"deep block", strings.Repeat("- ", 100000), `%:1:1: not a spec: over 1000 levels deep`},

	{"no format", "partitions: [{content: {label: x}}]", `%:1:24: partition 1: content: no format: want one of FORMATS`},
	{"format", "partitions: [{content: {format: ntfs}}]", `%:1:33: partition 1: content: format "ntfs": want one of FORMATS`},
	{"verity", "partitions: [{content: {format: verity}}]", `%:1:24: partition 1: content: no of: format verity wants the name of the partition that it is the hash tree of`},
	{"salt", "partitions: [{content: {format: verity, of: a, salt: xyz}}]", `%:1:54: partition 1: content: salt "xyz": want 2 to 512 hexadecimal digits, or none`},
	{
		"key of another format", "partitions: [{content: {format: vfat, journal: none}}]",
		`%:1:48: partition 1: content: key journal: format vfat has none: it has label, volume-id, files, fat-type, cluster-size, drop-unsupported`,
	},
	{"compression", "partitions: [{content: {format: squashfs, compression: rar}}]", `%:1:56: partition 1: content: compression "rar": want zstd, gzip, xz, lz4 or none`},
	{"tails", "partitions: [{content: {format: squashfs, tails: few}}]", `%:1:50: partition 1: content: tails "few": want small, always or never`},
	{"raw", "partitions: [{content: {format: raw}}]", `%:1:24: partition 1: content: no file: format raw wants the file that it is copied from`},
	{"fat type", "partitions: [{content: {format: vfat, fat-type: 8}}]", `%:1:49: partition 1: content: fat-type 8: want 12, 16 or 32`},
	{"volume ID", "partitions: [{content: {format: vfat, volume-id: 12}}]", `%:1:50: partition 1: content: volume-id "12": want 8 hexadecimal digits, not all zero, such as 1234-ABCD`},
	{"blob", "blobs: [{name: boot}]", `%:1:9: blob "boot": no file: want the file that it is copied from`},
}

// fileErrors are entries of files that are refused. They stand in column 13.
var fileErrors = []parseError{
	{"file", "{}", `%:4:13: partition 1: content: file 1: want either from, a directory or an archive to take files from, or path, a file to be made`},
	{"two files", "{from: x, path: /x}", `%:4:13: partition 1: content: file "/x": want either from, a directory or an archive to take files from, or path, a file to be made`},
	{"absolute path", "{path: etc, directory: true}", `%:4:20: partition 1: content: file "etc": path "etc": want a path that begins at the root of the image, such as /etc`},
	{"up", "{from: x, to: /../etc}", `%:4:27: partition 1: content: file "x": to "/../etc": want a path without ".."`},
	{"nothing", "{path: /x, mode: 644}", `%:4:13: partition 1: content: file "/x": want one of text, file, directory, symlink, link, device, fifo, uki: what the file is`},
	{"not a directory", "{path: /x, directory: false}", `%:4:35: partition 1: content: file "/x": directory false: want true, or one of the others`},
	{"key of a source", "{path: /x, text: x, exclude: []}", `%:4:42: partition 1: content: file "/x": key exclude: want none but path, owner, mode, time, xattrs, sign, text, file, directory, symlink, link, device, fifo, uki`},
	{"key of an entry", "{from: x, text: x}", `%:4:29: partition 1: content: file "x": key text: want none but from, to, exclude, override, whiteouts, duplicates, owner, mode, dir-mode, time`},
	{"duplicates", "{from: x, duplicates: first}", `%:4:35: partition 1: content: file "x": duplicates "first": want last, or no such key to refuse them`},
	{"mode", `{path: /x, text: x, mode: "0999"}`, `%:4:39: partition 1: content: file "/x": mode "0999": want permissions in octal, from 0000 to 7777, such as "0644"`},
	{"owner", `{path: /x, text: x, owner: root}`, `%:4:40: partition 1: content: file "/x": owner "root": want the numbers of a user and a group, such as "0:0"`},
	{"device", `{path: /x, device: 1:3}`, `%:4:32: partition 1: content: file "/x": device "1:3": want a type and a number, such as "char 1:3" or "block 8:0"`},
	{"mode of a symlink", `{path: /x, symlink: y, mode: 777}`, `%:4:42: partition 1: content: file "/x": key mode: symbolic links have no permissions`},
	{"owner of a link", `{path: /x, link: /y, owner: "0:0"}`, `%:4:41: partition 1: content: file "/x": key owner: a link has what the file has that it is a name of`},
	{"root that is a file", `{path: /, text: x}`, `%:4:20: partition 1: content: file "/": path /: it is a directory`},
	{"xattr", `{path: /, directory: true, xattrs: {user.a: 0xx}}`, `%:4:57: partition 1: content: file "/": user.a "0xx": want a text, 0x and hexadecimal digits, or 0s and base64`},
	{"override", `{from: x, override: [{mode: 1}]}`, `%:4:34: partition 1: content: file "x": override 1: no match: want the pattern of the files`},
	{"pattern", `{from: x, exclude: ["[a"]}`, `%:4:32: partition 1: content: file "x": exclude: pattern "[a": syntax error in pattern: it is malformed`},
	{"pattern of an override", `{from: x, override: [{match: "!x", mode: 1}]}`, `%:4:42: partition 1: content: file "x": override "!x": override: pattern "!x": syntax error in pattern: only one that excludes can be negated`},
	{"override of nothing", `{from: x, override: [{match: x}]}`, `%:4:34: partition 1: content: file "x": override "x": want owner, mode, dir-mode or time`},
}

func TestParseErrors(t *testing.T) {
	for _, tc := range parseErrors {
		t.Run(tc.name, func(t *testing.T) { testParseError(t, tc) })
	}
	for _, tc := range fileErrors {
		tc.yaml = "partitions:\n- content:\n    format: vfat\n    files: [" + tc.yaml + "]\n"
		t.Run(tc.name, func(t *testing.T) { testParseError(t, tc) })
	}
}

func testParseError(t *testing.T, tc parseError) {
	want := strings.ReplaceAll(tc.want, "%:", "disk.yaml:")
	want = strings.ReplaceAll(want, "FORMATS", strings.Join(formatNames(), ", "))
	_, err := Parse("disk.yaml", strings.NewReader(tc.yaml), ".")
	require.EqualError(t, err, want)
	var e *Error
	require.True(t, errors.As(err, &e))
	require.Equal(t, "disk.yaml", e.File)
}

// TestParseTellsAll wants all errors of a file, in its order, but not more than
// anybody reads.
func TestParseTellsAll(t *testing.T) {
	_, err := Parse("disk.yaml", strings.NewReader("table: x\nsize: y\nfoo: z\n"), ".")
	require.EqualError(t, err, `disk.yaml:1:8: table "x": want gpt, mbr or none
disk.yaml:2:7: size "y": `+errSize.Error()+`
disk.yaml:3:1: unknown key "foo": want one of table, sector-size, size, align, seed, time, id, partitions, blobs`)

	_, err = Parse("disk.yaml", strings.NewReader("partitions: ["+strings.Repeat("x, ", 100)+"]"), ".")
	require.Equal(t, 20, strings.Count(err.Error(), "\n"))
	require.ErrorContains(t, err, "disk.yaml: and 80 more errors")
}

// TestParseLimits refuses what takes more than its file shows.
func TestParseLimits(t *testing.T) {
	_, err := Parse("disk.yaml", strings.NewReader(strings.Repeat("#", maxFile+1)), ".")
	require.EqualError(t, err, "disk.yaml: spec is over 1048576 bytes long: want less; files with much text are better named by file than given by text")
	_, err = Parse("disk.yaml", strings.NewReader("# "+strings.Repeat("x", maxLine-3)+"\n"+strings.Repeat("{size: 1}, ", maxLine/5)), ".")
	require.EqualError(t, err, "disk.yaml:2:1: line is over 65536 bytes long: want shorter ones, or the whole spec in JSON")
	_, err = Parse("disk.yaml", strings.NewReader(`{"partitions": [`+strings.Repeat(`{"size": 512}, `, 6000)+`{"size": 512}]}`), ".")
	require.NoError(t, err)
	_, err = Parse("disk.yaml", strings.NewReader("partitions: [{size: "+strings.Repeat("1", 50000)+"}]"), ".")
	require.Less(t, len(err.Error()), 2100)

	var bomb strings.Builder
	bomb.WriteString("partitions:\n- {content: {format: vfat, files: &f [")
	bomb.WriteString(strings.Repeat("{path: /x, text: x},\n", 5000) + "]}}\n")
	bomb.WriteString(strings.Repeat("- {content: {format: vfat, files: *f}}\n", 5000))
	_, err = Parse("disk.yaml", strings.NewReader(bomb.String()), ".")
	require.EqualError(t, err, "disk.yaml: not a spec: over 500000 values")

	_, err = Parse("disk.yaml", strings.NewReader("partitions: [&x {<<: *x}]"), ".")
	require.ErrorContains(t, err, "merge keys over 20 deep")
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// maxDifferences is how many files that differ are told of each partition.
const maxDifferences = 20

func verifyCommand(f *flag.FlagSet) func(context.Context, env, []string) error {
	var o overrides
	o.flags(f)
	files := f.Bool("files", false, "")
	asJSON := f.Bool("json", false, "")
	return func(ctx context.Context, e env, args []string) error {
		i, err := openImage(args[0])
		if err != nil {
			return err
		}
		defer i.Close()
		l, err := o.describe(ctx, e, args[1])
		if err != nil {
			return err
		}
		defer l.Close()
		p, err := i.plan(ctx, l)
		if err != nil {
			return err
		}
		if *files {
			return verifyFiles(ctx, e, i, l, p, *asJSON)
		}
		err = i.verify(ctx, p)
		switch {
		case errors.Is(err, image.ErrDiffers) && *asJSON:
			return errors.Join(printVerdict(e, []string{err.Error()}), err)
		case err != nil:
			return err
		case *asJSON:
			return printVerdict(e, nil)
		}
		_, err = fmt.Fprintf(e.stdout, "%s: every byte as %s has it\n", args[0], args[1])
		return err
	}
}

// verifyFiles compares the files of an image with their sources.
func verifyFiles(ctx context.Context, e env, i *imageFile, l *description, p *image.Plan, asJSON bool) error {
	differences, err := compareFiles(ctx, i, l, p)
	if err != nil {
		return err
	}
	switch {
	case asJSON:
		err = printVerdict(e, differences)
	case len(differences) > 0:
		_, err = fmt.Fprintln(e.stdout, strings.Join(differences, "\n"))
	default:
		_, err = fmt.Fprintf(e.stdout, "%s: all files as their sources have them\n", i.Name())
	}
	if err == nil && len(differences) > 0 {
		err = fmt.Errorf("%s: %w", i.Name(), image.ErrDiffers)
	}
	return err
}

// printVerdict prints what differs, for machines.
func printVerdict(e env, differences []string) error {
	return printJSON(e.stdout, struct {
		Equal       bool     `json:"equal"`
		Differences []string `json:"differences"`
	}{len(differences) == 0, append([]string{}, differences...)})
}

// holds is what the formats that are read here hold of files.
var holds = map[string]filetree.DiffOptions{
	"ext4":  {Aspects: filetree.DefaultAspects},
	"erofs": {Aspects: filetree.DefaultAspects},
	"vfat": {
		Aspects:        filetree.AspectName | filetree.AspectType | filetree.AspectModTime | filetree.AspectSize | filetree.AspectContent,
		TimeResolution: 2 * time.Second,
	},
	"squashfs": {Aspects: filetree.DefaultAspects, TimeResolution: time.Second},
}

// isAsMade reports whether a difference is one that the build has made: what it
// was told to leave out, and of FAT the root's time, for which there is no room, and
// times before 1980 and after 2107. Info.Dropped has the path first.
func isAsMade(d filetree.Difference, v *volume.Info) bool {
	dropped := func(what string) bool {
		return slices.ContainsFunc(v.Dropped, func(line string) bool { return strings.HasPrefix(line, d.Path+": "+what) })
	}
	switch {
	case d.Aspect == filetree.AspectName && d.Got == "":
		return dropped("")
	case d.Aspect == filetree.AspectXattrs && d.Got == "none":
		name, _, _ := strings.Cut(d.Want, "=")
		return slices.Contains(v.Dropped, d.Path+": extended attribute "+name)
	case d.Aspect == filetree.AspectModTime && v.Format == "squashfs":
		return dropped("modification time ")
	case d.Aspect == filetree.AspectModTime && v.Format == "vfat":
		want, err := time.Parse(time.RFC3339Nano, d.Want)
		return d.Path == "." || err == nil && (want.Year() < 1980 || want.Year() > 2107)
	}
	return false
}

// compareFiles compares the files of an image with their sources.
func compareFiles(ctx context.Context, img *imageFile, l *description, p *image.Plan) (differences []string, err error) {
	d, err := img.open()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	trees := l.trees()
	for i, part := range p.Partitions {
		number := part.Number
		if p.Table == image.NoTable {
			number = 0 // as Open has it
		}
		o, ok := holds[part.Volume.Format]
		if !ok || trees[i] == nil {
			continue
		}
		list, err := comparePartition(ctx, d, number, trees[i], o)
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", part.Number, err)
		}
		list = slices.DeleteFunc(list, func(diff filetree.Difference) bool { return isAsMade(diff, &part.Volume) })
		for _, diff := range list[:min(len(list), maxDifferences)] {
			differences = append(differences, fmt.Sprintf("partition %d: %s", part.Number, diff))
		}
		if more := len(list) - maxDifferences; more > 0 {
			differences = append(differences, fmt.Sprintf("partition %d: and %d more", part.Number, more))
		}
	}
	return differences, nil
}

func comparePartition(ctx context.Context, d *image.Disk, number int, want *filetree.Tree, o filetree.DiffOptions) ([]filetree.Difference, error) {
	files, err := d.FS(number)
	if err != nil {
		return nil, err
	}
	got, err := filetree.FromFS(files)
	if err != nil {
		return nil, err
	}
	defer got.Close()
	_, own := want.Lookup("lost+found")
	o.Skip = func(path string) bool { return path == "lost+found" && !own }
	return filetree.Diff(ctx, want, got, o)
}

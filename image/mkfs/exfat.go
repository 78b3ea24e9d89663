package mkfs

import "fmt"

// makeExFAT makes an empty file system. mkfs.exfat takes the serial number from
// the clock, so that another program has to set it.
func makeExFAT(j *job) error {
	var args []string
	if j.fs.Label != "" {
		args = append(args, "-L", j.fs.Label)
	}
	if err := j.run(0, append(append(args, j.fs.Options...), j.path())...); err != nil {
		return err
	}
	return j.run(1, "-I", fmt.Sprintf("0x%08x", serial(j.uuid)), j.path())
}

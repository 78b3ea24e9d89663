// Package swap makes swap spaces, as mkswap does: a page that says how many more
// there are (include/linux/swap.h, union swap_header, version 1).
//
// A swap space is as large as its partition, so that the partition has to say
// how large it is to be: by a size, by a minimum, or by a weight. One that says
// nothing is as small as the kernel takes.
package swap

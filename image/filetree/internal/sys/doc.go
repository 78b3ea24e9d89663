// Package sys holds the system calls of package filetree that x/sys has no
// function for, and all of its use of package unsafe.
package sys

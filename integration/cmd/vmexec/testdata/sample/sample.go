// Package sample is tested in a guest by the tests of vmexec.
package sample

// Sign returns the sign of n.
func Sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}

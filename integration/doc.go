// Package integration holds the suites that test drivebay as a whole. Nothing
// imports it.
package integration

// Package loop attaches files to Linux loop devices.
package loop

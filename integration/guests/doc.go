// Package guests runs suites in virtual machines, on the kernels that package
// kernel pins: what the kernel of the machine that runs go test cannot show.
package guests

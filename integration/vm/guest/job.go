package guest

// Where init finds what it needs, and what it makes.
const (
	jobPath    = "/drivebay/job.json"
	moduleDir  = "/drivebay/modules"
	socketPath = "/drivebay/host.sock"
)

// job is what the host tells init, in a file of the initramfs.
type job struct {
	Path    string
	Args    []string // the program's name included
	Env     []string
	Dir     string
	Load    []string // modules, with their parameters
	Modules []module // all that were packed
	Collect []string
	Mounts  []Mount
	Udev    bool
}

// module is a kernel module in the initramfs.
type module struct {
	Name    string
	Aliases []string `json:",omitempty"`
	Needs   []string `json:",omitempty"`
}

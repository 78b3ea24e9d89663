package tcptarget_test

import (
	"context"
	"fmt"

	"github.com/drivebay/drivebay/nvme/nvmetest"
	"github.com/drivebay/drivebay/nvme/nvmetest/tcptarget"
)

// A target serves a drive to any host that speaks NVMe/TCP, such as
// "nvme connect -t tcp -a 127.0.0.1 -s PORT -n NQN".
func ExampleListen() {
	drive, err := nvmetest.New(nvmetest.Consumer())
	if err != nil {
		fmt.Println(err)
		return
	}
	target, err := tcptarget.Listen(context.Background(), drive, tcptarget.Options{NQN: "nqn.2014-08.org.example:drive"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer target.Close()
	fmt.Println(target.NQN(), "on", target.Addr().IP)
	// Output: nqn.2014-08.org.example:drive on 127.0.0.1
}

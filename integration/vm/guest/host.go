package guest

import (
	"encoding/json"
	"errors"
	"net"

	"github.com/drivebay/drivebay/integration/vm/internal/wire"
)

// Host runs a QMP command of the machine that the calling program is a guest of,
// and returns what QEMU answers. A test in a guest uses it to pull out the drive
// that it is reading from. Outside of a guest the error is an os.ErrNotExist.
func Host(command string, arguments any) (json.RawMessage, error) {
	conn, err := net.Dial("unix", socketPath)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	raw, err := json.Marshal(arguments)
	if err != nil {
		return nil, err
	}
	if err := json.NewEncoder(conn).Encode(wire.Request{Execute: command, Arguments: raw}); err != nil {
		return nil, err
	}
	var response wire.Response
	if err := json.NewDecoder(conn).Decode(&response); err != nil {
		return nil, err
	}
	if response.Error != "" {
		return nil, errors.New(response.Error)
	}
	return response.Return, nil
}

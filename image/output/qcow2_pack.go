package output

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// deflateWindow is the window of deflate in bytes. The specification does not tell
// of it, but QEMU asks its decoder for no larger one (block/qcow2-threads.c).
const deflateWindow = 4096

// clusterPacker returns the function that compresses a cluster. What is behind the
// disk's end is compressed, too: a decoder wants whole clusters.
func clusterPacker(o QCOW2Options) (func(dst, data []byte) []byte, error) {
	pack := packDeflate()
	if o.Compression == CompressZstd {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(o.Workers), zstd.WithEncoderCRC(false))
		if err != nil {
			return nil, err
		}
		pack = func(dst, data []byte) []byte { return enc.EncodeAll(data, dst) }
	}
	return func(dst, data []byte) []byte {
		if short := o.ClusterSize - int64(len(data)); short > 0 {
			data = append(data, make([]byte, short)...)
		}
		return pack(dst, data)
	}, nil
}

// packDeflate returns the function that compresses by deflate.
func packDeflate() func(dst, data []byte) []byte {
	writers := sync.Pool{New: func() any {
		w, err := flate.NewWriterWindow(nil, deflateWindow)
		if err != nil {
			panic(err) // of the window's size, a constant
		}
		return w
	}}
	return func(dst, data []byte) []byte {
		out := bytes.NewBuffer(dst)
		w := writers.Get().(*flate.Writer)
		defer writers.Put(w)
		w.Reset(out)
		_, _ = w.Write(data) // to memory
		_ = w.Close()
		return out.Bytes()
	}
}

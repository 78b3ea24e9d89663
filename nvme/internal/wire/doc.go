// Package wire carries NVMe structures between bytes and Go values.
//
// A structure tells its layout once, in a function that visits every field
// with the offset that the specification gives:
//
//	func (l *Log) walk(w *wire.Walker) {
//		wire.U8(w, 0, &l.Warning)
//		w.Reserved(1, 1)
//		wire.U16(w, 2, &l.Temperature)
//	}
//
// The same walk then decodes, encodes, and lists the layout for the offset
// table tests: reader and writer cannot disagree. NVMe is little-endian, and a
// Walker says so explicitly, on every host; there is no unsafe and no
// reflection.
//
// The structures themselves live in package nvme, not here: an emulated drive
// encodes what the API decodes, so one public definition, with one set of
// documented fields, serves both.
package wire

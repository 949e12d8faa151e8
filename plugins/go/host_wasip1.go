package forebay

import (
	"runtime"
	"unsafe"
)

//go:wasmimport forebay:handler/log@0.1.0 write
func logWrite(level uint32, message string, fields unsafe.Pointer, fieldsLen uint32)

//go:wasmimport forebay:handler/metrics@0.1.0 count
func metricsCount(name string, delta uint64)

//go:wasmimport forebay:handler/metrics@0.1.0 observe
func metricsObserve(name string, value float64)

func write(level Level, message string, fields [][2]string) {
	pairs := newBuffer(len(fields) * pairSize)
	for i, field := range fields {
		pairs.text(i*pairSize, field[0])
		pairs.text(i*pairSize+stringSize, field[1])
	}
	logWrite(uint32(level), message, pairs.pointer(), uint32(len(fields)))
	runtime.KeepAlive(fields)
	runtime.KeepAlive(pairs)
}

func count(name string, delta uint64) { metricsCount(name, delta) }

func observe(name string, value float64) { metricsObserve(name, value) }

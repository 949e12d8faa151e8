package forebay

import (
	"math"
	"unsafe"
)

// Where the contract's values lie in memory, by the component model's canonical ABI. A test of the build compares these
// figures with the contract.
const (
	stringSize = 8
	pairSize   = 16

	headerSize  = 20
	headerValue = 8

	columnSize    = 24
	columnValue   = 8
	valuePayload  = 8
	rowColumns    = 8
	effectSize    = 52
	effectPayload = 4

	publishKey     = 8
	publishValue   = 20
	publishHeaders = 32
	publishFacts   = 40
	optionPayload  = 4

	outcomeSize    = 20
	outcomePayload = 4
	failureMessage = 8
)

// The cases of the contract's variants.
const (
	valueNull, valueBoolean, valueInteger, valueFloat = 0, 1, 2, 3
	valueText, valueBytes, valueTimestamp             = 4, 5, 6
	outcomeOk, outcomeSkip, outcomeReject             = 0, 1, 2
)

// buffer is memory in which the contract's values are set out, aligned for all of them.
type buffer []uint64

func newBuffer(size int) buffer { return make(buffer, (size+7)/8) }

func (b buffer) pointer() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

func (b buffer) byte(at int, value uint8) { *(*uint8)(unsafe.Add(b.pointer(), at)) = value }

func (b buffer) word(at int, value uint32) { *(*uint32)(unsafe.Add(b.pointer(), at)) = value }

func (b buffer) long(at int, value int64) { *(*int64)(unsafe.Add(b.pointer(), at)) = value }

func (b buffer) float(at int, value float64) { b.long(at, int64(math.Float64bits(value))) }

// list writes a pointer and a length. What is pointed at is kept alive by the caller.
func (b buffer) list(at int, pointer unsafe.Pointer, length int) {
	b.word(at, address(pointer))
	b.word(at+4, uint32(length))
}

func (b buffer) text(at int, text string) {
	b.list(at, unsafe.Pointer(unsafe.StringData(text)), len(text))
}

func (b buffer) bytes(at int, bytes []byte) {
	b.list(at, unsafe.Pointer(unsafe.SliceData(bytes)), len(bytes))
}

// optional writes an option of bytes.
func (b buffer) optional(at int, bytes []byte) {
	if bytes != nil {
		b.byte(at, 1)
		b.bytes(at+optionPayload, bytes)
	}
}

func address(pointer unsafe.Pointer) uint32 { return uint32(uintptr(pointer)) }

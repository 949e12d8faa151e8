package forebay

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// What the component exports, and what stands around a call: the clock, the seed, and what becomes of a panic.

// source is the digest of the handler's sources; the build puts it in.
var source string

// handler is made by init, for as long as the instance lives.
var handler func(*Message) (Outcome, error)

// printed takes what goes to standard output and standard error.
var printed [4096]byte

// nothingHere stands before Go's own words where a clock or a source of randomness is asked for in vain.
const nothingHere = "(there is no message here, or it has no timestamp, and a handler has no other clock)\n"

const (
	// With these the garbage collector runs, or not.
	collect, collectNever = 100, -1
	// The last timestamp that nanoseconds can say.
	timestampMax = (1<<63 - 1) / 1_000_000
	// The most frames of a panic's stack: a line of the log is cut at 2 KiB.
	framesMax = 12
	// What a message without a timestamp is taken to leave behind, and when that is collected.
	uncollectedEach, uncollectedFactor, uncollectedMax = 16 << 10, 8, 4 << 20
)

func init() {
	printTo(unsafe.Pointer(&printed), uint32(len(printed)), nothingHere)
	// The collector reads the clock, and before the first message there is none.
	debug.SetGCPercent(collectNever)
}

//go:linkname forebayReseed runtime.forebayReseed
func forebayReseed(seed *[32]byte)

//go:wasmimport wasi_snapshot_preview1 forebay_now
func setNow(has int32, nanos int64)

//go:wasmimport wasi_snapshot_preview1 forebay_seed
func setSeed(a, b, c, d uint64)

//go:wasmimport wasi_snapshot_preview1 forebay_print_to
func printTo(buffer unsafe.Pointer, size uint32, nothingHere string)

//go:wasmimport wasi_snapshot_preview1 forebay_printed
func printedLength() uint32

//go:wasmimport wasi_snapshot_preview1 forebay_trap
func trap()

//go:wasmexport forebay:handler/handler@0.1.0#init
func exportInit(text unsafe.Pointer, size uint32) unsafe.Pointer {
	config := stringAt(uint32(uintptr(text)), size)
	release()
	defer end()
	if started == nil {
		return lowerStarted(Reject("bad-handler", "no handler is registered: call forebay.Handle in func init()"))
	}
	made, err := started(config)
	if err == nil {
		handler = made
		return lowerStarted(nil)
	}
	failure, is := failureOf(err)
	if !is {
		failure = Reject("failed", "%v", err)
	}
	return lowerStarted(failure)
}

//go:wasmexport forebay:handler/handler@0.1.0#handle
func exportHandle(topic unsafe.Pointer, topicLen uint32, partition int32, offset int64, hasTime int32, millis int64,
	hasKey int32, key unsafe.Pointer, keyLen uint32, hasValue int32, value unsafe.Pointer, valueLen uint32,
	headers unsafe.Pointer, headersLen uint32, facts unsafe.Pointer, factsLen uint32) unsafe.Pointer {
	message := &Message{
		Topic:     stringAt(address(topic), topicLen),
		Partition: partition,
		Offset:    offset,
		Key:       optionalAt(hasKey, address(key), keyLen),
		Value:     optionalAt(hasValue, address(value), valueLen),
		Headers:   headersAt(address(headers), headersLen),
		Facts:     factsAt(address(facts), factsLen),
	}
	if hasTime != 0 {
		message.TimestampMs = &millis
	}
	release()
	defer end()
	begin(message)
	if handler == nil {
		return lowerFailure(Reject("bad-host", "the host called `handle` before `init`"))
	}
	outcome, err := handler(message)
	if err == nil {
		return lower(outcome)
	}
	failure, is := failureOf(err)
	if !is {
		crash(fmt.Sprintf("the handler returned an error that is no *forebay.Failure: %v", err))
	}
	return lowerFailure(failure)
}

// begin sets the clock and the seed: the same message finds the same ones, in whichever instance.
func begin(message *Message) {
	text := make([]byte, 0, 128)
	text = binary.LittleEndian.AppendUint64(text, uint64(message.Offset))
	text = binary.LittleEndian.AppendUint32(text, uint32(message.Partition))
	seed := sha256.Sum256(append(append(text, source...), message.Topic...))
	word := func(at int) uint64 { return binary.LittleEndian.Uint64(seed[at:]) }
	millis := message.TimestampMs
	if millis != nil && *millis >= 0 && *millis <= timestampMax {
		setNow(1, *millis*1_000_000)
		collectAt(collect)
	} else {
		// Whoever asks for a time that is not there is to be told, so the collector must not ask: it runs before.
		setNow(1, 0)
		collectAt(collectNever)
		if uncollected += uncollectedEach + uncollectedFactor*len(message.Value); uncollected > uncollectedMax {
			uncollected = 0
			runtime.GC()
		}
		setNow(0, 0)
	}
	setSeed(word(0), word(8), word(16), word(24))
	forebayReseed(&seed)
}

// uncollected is about how many bytes messages without a timestamp have left behind.
var uncollected int

// collecting is what the collector was last told.
var collecting = collectNever

// collectAt stops the world, so it is asked only where something changes.
func collectAt(percent int) {
	if collecting != percent {
		collecting = percent
		debug.SetGCPercent(percent)
	}
}

// end sends on what was printed, and tells of a panic.
func end() {
	if length := printedLength(); length > 0 {
		for _, line := range strings.Split(strings.TrimRight(string(printed[:length]), "\n"), "\n") {
			Log(LevelInfo, line)
		}
	}
	if reason := recover(); reason != nil {
		place, stack := placeOf()
		crash(fmt.Sprintf("panicked%s: %v%s", place, reason, stack))
	}
}

// crash is a handler's end: the line stands in the dead letter, and the instance is done for.
func crash(line string) {
	Log(LevelError, line)
	trap()
}

// placeOf says where a panic came about, and how the handler came there.
func placeOf() (place, stack string) {
	var counters [64]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(3, counters[:])])
	var text strings.Builder
	for shown := 0; shown < framesMax; {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, "forebay.export") {
			break
		}
		if frame.File != "" && !strings.HasPrefix(frame.Function, "runtime.") {
			if shown == 0 {
				place = fmt.Sprintf(" at %s:%d", frame.File, frame.Line)
			}
			fmt.Fprintf(&text, "\n  in %s (%s:%d)", frame.Function, frame.File, frame.Line)
			shown++
		}
		if !more {
			break
		}
	}
	return place, text.String()
}

// notText returns the failure of an outcome with a text that is not UTF-8, for Go's strings may hold anything.
func notText(what, name, text string) *Failure {
	if utf8.ValidString(text) {
		return nil
	}
	return Reject(malformed, "%s `%s` is not UTF-8: %q", what, strings.ToValidUTF8(name, "\uFFFD"), cut(text))
}

func cut(text string) string {
	if len(text) > 64 {
		return text[:64]
	}
	return text
}

package forebay

import (
	"fmt"
	"strings"
)

// Level says how much a line of the log matters.
type Level uint8

// The levels, as the contract numbers them. The last line of LevelError stands in the dead letter if the handler then
// traps.
const (
	LevelTrace Level = iota
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
)

// Log writes one line: a message for people, and names and values in turn for machines.
//
//	forebay.Log(forebay.LevelWarn, "the amount is odd", "order_id", order.ID)
func Log(level Level, message string, fields ...any) {
	pairs := make([][2]string, 0, (len(fields)+1)/2)
	for i := 0; i < len(fields); i += 2 {
		var value any = "(missing)"
		if i+1 < len(fields) {
			value = fields[i+1]
		}
		pairs = append(pairs, [2]string{valid(fmt.Sprint(fields[i])), valid(fmt.Sprint(value))})
	}
	write(level, valid(message), pairs)
}

// Debug writes a line for whoever looks for a fault.
func Debug(message string, fields ...any) { Log(LevelDebug, message, fields...) }

// Info writes a line that is worth knowing in ordinary life.
func Info(message string, fields ...any) { Log(LevelInfo, message, fields...) }

// Warn writes a line about something odd, where the message is handled all the same.
func Warn(message string, fields ...any) { Log(LevelWarn, message, fields...) }

// Count adds delta to a counter of the host's metrics.
func Count(name string, delta uint64) { count(valid(name), delta) }

// Observe enters a value into a histogram of the host's metrics.
func Observe(name string, value float64) { observe(valid(name), value) }

// valid replaces what is not UTF-8: a line is worth more than its spelling.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

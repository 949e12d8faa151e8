//go:build !wasip1

package forebay

import (
	"fmt"
	"os"
	"strings"
)

// Outside of a component, lines of the log go to standard error, and metrics nowhere.

func write(level Level, message string, fields [][2]string) {
	var line strings.Builder
	fmt.Fprintf(&line, "%s %s", [...]string{"trace", "debug", "info", "warn", "error"}[level], message)
	for _, field := range fields {
		fmt.Fprintf(&line, " %s=%q", field[0], field[1])
	}
	fmt.Fprintln(os.Stderr, line.String())
}

func count(string, uint64) {}

func observe(string, float64) {}

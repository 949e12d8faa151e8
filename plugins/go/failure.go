package forebay

import (
	"errors"
	"fmt"
)

const malformed = "malformed"

// Failure is why a message, or a configuration, can not be handled. As a handler's error it rejects the message; any
// other error is a bug, and ends as a dead letter of the class trap.
type Failure struct {
	// Code is short and of few distinct values: it becomes a metric's label and a dead letter's header.
	Code string
	// Message is for people: what is wrong, where, and what was expected.
	Message string
}

// Reject makes a failure with a code of one's own.
func Reject(code, format string, args ...any) *Failure {
	return &Failure{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error returns the code and the message.
func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// failureOf returns the failure that an error is, or wraps.
func failureOf(err error) (*Failure, bool) {
	var failure *Failure
	found := errors.As(err, &failure)
	return failure, found && failure != nil
}

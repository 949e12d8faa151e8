package forebay

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A reader of JSON that keeps to the letter: no text that is not UTF-8, no name twice, no number that does not fit.

// depthMax keeps a value that is nested without end from taking the stack. The SDKs of all languages take as many.
const depthMax = 127

// reader reads one text. Where it can not go on it panics with a *Failure, which decode returns.
type reader struct {
	text  []byte
	at    int
	depth int
	// isClosed refuses names that a struct does not have.
	isClosed bool
}

// decode reads the whole text as one value.
func decode(text []byte, to any, isClosed bool) (failure *Failure) {
	r := &reader{text: text, isClosed: isClosed}
	target := reflect.ValueOf(to)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		panic(fmt.Sprintf("forebay: JSON is read into what a pointer points at, and this is a %T", to))
	}
	defer func() {
		reason := recover()
		if refused, is := reason.(*Failure); is {
			failure = refused
		} else if reason != nil {
			panic(reason)
		}
	}()
	r.value(target.Elem())
	if r.space(); r.at < len(r.text) {
		r.refuse(r.at, "expected the end, for the value is complete")
	}
	return nil
}

// refuse ends the reading with a place that people find.
func (r *reader) refuse(at int, format string, args ...any) {
	before := r.text[:min(at, len(r.text))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	panic(Reject(malformed, "%s at line %d column %d", fmt.Sprintf(format, args...), line, column))
}

func (r *reader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// next returns the character that the next token begins with; 0 at the end.
func (r *reader) next() byte {
	r.space()
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

// take reads one character of punctuation, if it is the next one.
func (r *reader) take(char byte) bool {
	if r.next() != char {
		return false
	}
	r.at++
	return true
}

// word reads one of true, false and null, if it is the next one.
func (r *reader) word(word string) bool {
	r.space()
	if !bytes.HasPrefix(r.text[r.at:], []byte(word)) {
		return false
	}
	r.at += len(word)
	return true
}

// each reads what stands between two brackets.
func (r *reader) each(last byte, item func()) {
	r.at++
	if r.depth++; r.depth > depthMax {
		r.refuse(r.at, "more than %d values within one another", depthMax)
	}
	if !r.take(last) {
		for item(); !r.take(last); item() {
			if !r.take(',') {
				r.refuse(r.at, "expected `,` or `%c`", last)
			}
		}
	}
	r.depth--
}

// members reads an object; member is called with each name, and with where it stands.
func (r *reader) members(member func(name string, at int)) {
	r.each('}', func() {
		if r.next() != '"' {
			r.refuse(r.at, "expected a name in quotes")
		}
		at := r.at
		name := r.string()
		if !r.take(':') {
			r.refuse(r.at, "expected `:`")
		}
		member(name, at)
	})
}

// raw passes over one value and returns its text.
func (r *reader) raw() []byte {
	r.space()
	from := r.at
	r.value(reflect.Value{})
	return r.text[from:r.at]
}

// number reads a number and returns it as it stands there.
func (r *reader) number() string {
	from := r.at
	digits := func() {
		start := r.at
		for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
			r.at++
		}
		if r.at == start {
			r.refuse(r.at, "expected a digit")
		}
	}
	is := func(chars string) bool {
		return r.at < len(r.text) && bytes.IndexByte([]byte(chars), r.text[r.at]) >= 0
	}
	if is("-") {
		r.at++
	}
	if is("0") {
		r.at++
	} else {
		digits()
	}
	if is(".") {
		r.at++
		digits()
	}
	if is("eE") {
		if r.at++; is("+-") {
			r.at++
		}
		digits()
	}
	return string(r.text[from:r.at])
}

// string reads a text with its quotes.
func (r *reader) string() string {
	r.at++
	from := r.at
	// Most texts have nothing to replace.
	for r.at < len(r.text) && r.text[r.at] >= ' ' && r.text[r.at] < utf8.RuneSelf && r.text[r.at] != '\\' {
		if r.text[r.at] == '"' {
			r.at++
			return string(r.text[from : r.at-1])
		}
		r.at++
	}
	out := append([]byte(nil), r.text[from:r.at]...)
	for r.at < len(r.text) {
		char := r.text[r.at]
		switch {
		case char == '"':
			r.at++
			return string(out)
		case char == '\\':
			out = r.escape(out)
		case char < ' ':
			r.refuse(r.at, "a control character in a text")
		default:
			letter, size := utf8.DecodeRune(r.text[r.at:])
			if letter == utf8.RuneError && size == 1 {
				r.refuse(r.at, "the text is not UTF-8")
			}
			out = append(out, r.text[r.at:r.at+size]...)
			r.at += size
		}
	}
	r.refuse(r.at, "a text without its closing quote")
	return ""
}

// escape reads what stands behind a backslash.
func (r *reader) escape(out []byte) []byte {
	at := r.at
	if r.at += 2; r.at > len(r.text) {
		r.refuse(at, "a text without its closing quote")
	}
	char := r.text[at+1]
	if plain := bytes.IndexByte([]byte(`"\/bfnrt`), char); plain >= 0 {
		return append(out, "\"\\/\b\f\n\r\t"[plain])
	}
	if char != 'u' {
		r.refuse(at, "`\\%c` is no escape", char)
	}
	letter := r.hex(at)
	if utf16.IsSurrogate(letter) {
		second := utf8.RuneError
		if bytes.HasPrefix(r.text[r.at:], []byte(`\u`)) {
			r.at += 2
			second = r.hex(at)
		}
		if letter = utf16.DecodeRune(letter, second); letter == utf8.RuneError {
			r.refuse(at, "half a letter: a surrogate without its other one")
		}
	}
	return utf8.AppendRune(out, letter)
}

func (r *reader) hex(at int) rune {
	if r.at+4 > len(r.text) {
		r.refuse(at, "`\\u` wants four digits")
	}
	code, err := strconv.ParseUint(string(r.text[r.at:r.at+4]), 16, 32)
	if err != nil {
		r.refuse(at, "`\\u` wants four digits")
	}
	r.at += 4
	return rune(code)
}

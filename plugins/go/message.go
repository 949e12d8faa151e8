package forebay

import (
	"time"
	"unicode/utf8"
)

// Message is one Kafka record.
type Message struct {
	// Topic is the topic it was read from.
	Topic string
	// Partition is the partition of that topic, from 0.
	Partition int32
	// Offset is the record's place in the partition.
	Offset int64
	// TimestampMs is the record's time in milliseconds since the Unix epoch; nil where it has none.
	TimestampMs *int64
	// Key is nil for Kafka's null, which is not the same as an empty key.
	Key []byte
	// Value is nil for a tombstone, which is not the same as an empty value.
	Value []byte
	// Headers are in the record's order; names may repeat.
	Headers []Header
	// Facts are what the host adds, as names and values.
	Facts []Fact
}

// Header is a Kafka header. A nil value is Kafka's null.
type Header struct {
	Name  string
	Value []byte
}

// Fact is something that the host knows of a message.
type Fact struct{ Name, Value string }

// JSON reads the value as JSON into what `to` points at.
//
// It is strict where encoding/json is lenient: what is not UTF-8 is refused, names must match to the letter and may not
// repeat, and a field that is missing or null is an error unless it is a pointer or has the option omitempty. Integers
// are exact, and in an any a number is a [encoding/json.Number]. The failure has the code malformed, with line and column.
func (m *Message) JSON(to any) error {
	value, err := m.Bytes()
	if err != nil {
		return err
	}
	if failure := decode(value, to, false); failure != nil {
		return failure
	}
	return nil
}

// Bytes returns the value; a tombstone is malformed.
func (m *Message) Bytes() ([]byte, error) {
	if m.Value == nil {
		return nil, Reject(malformed, "the value is null (a tombstone)")
	}
	return m.Value, nil
}

// Text returns the value as text; a tombstone and what is not UTF-8 are malformed.
func (m *Message) Text() (string, error) {
	value, err := m.Bytes()
	if err != nil {
		return "", err
	}
	if !utf8.Valid(value) {
		return "", Reject(malformed, "the value is not text: it is not UTF-8")
	}
	return string(value), nil
}

// KeyText returns the key as text; a missing key and what is not UTF-8 are malformed.
func (m *Message) KeyText() (string, error) {
	if m.Key == nil {
		return "", Reject(malformed, "the message has no key")
	}
	if !utf8.Valid(m.Key) {
		return "", Reject(malformed, "the key is not text: it is not UTF-8")
	}
	return string(m.Key), nil
}

// IsTombstone returns whether the value is null.
func (m *Message) IsTombstone() bool { return m.Value == nil }

// Timestamp returns the message's time, if it has one. In a handler, time.Now is the same.
func (m *Message) Timestamp() (time.Time, bool) {
	if m.TimestampMs == nil {
		return time.Time{}, false
	}
	return time.UnixMilli(*m.TimestampMs).UTC(), true
}

// Header returns the value of the last header of this name, as Kafka's own clients do; nil where it is null, too.
func (m *Message) Header(name string) []byte {
	for i := len(m.Headers) - 1; i >= 0; i-- {
		if m.Headers[i].Name == name {
			return m.Headers[i].Value
		}
	}
	return nil
}

// Fact returns a fact that the host added.
func (m *Message) Fact(name string) (string, bool) {
	for _, fact := range m.Facts {
		if fact.Name == name {
			return fact.Value, true
		}
	}
	return "", false
}

package forebay

import "encoding/json"

// Notice is a message to send to a target that is a topic.
type Notice struct {
	// Target is the target's name in the manifest, not a topic's name.
	Target string
	// Key also decides the partition; nil is Kafka's null.
	Key []byte
	// Value is nil for a tombstone.
	Value []byte
	// Headers are in order. The host adds its own.
	Headers []Header
}

// NewNotice starts a message with a null key and a null value.
func NewNotice(target string) Notice { return Notice{Target: target} }

// WithKey gives it a key.
func (n Notice) WithKey(key string) Notice {
	n.Key = []byte(key)
	return n
}

// WithValue gives it a value.
func (n Notice) WithValue(value []byte) Notice {
	n.Value = value
	return n
}

// WithJSON gives it a value as JSON. It panics with what encoding/json can not write, such as a channel.
func (n Notice) WithJSON(value any) Notice {
	n.Value = marshal(value)
	return n
}

// WithHeader appends a header.
func (n Notice) WithHeader(name, value string) Notice {
	headers := n.Headers[:len(n.Headers):len(n.Headers)]
	n.Headers = append(headers, Header{Name: name, Value: []byte(value)})
	return n
}

func marshal(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic("forebay: write JSON: " + err.Error())
	}
	return text
}

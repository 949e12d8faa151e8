// Package forebay writes a Forebay handler in Go: one function of one message.
//
// A handler gets a [Message] and answers with an [Outcome]: rows to write and messages to publish, as values. It does no
// I/O and sees no clock but the message's; Forebay does the reading, writing, retrying and committing around it.
//
//	func handle(m *forebay.Message) (forebay.Outcome, error) {
//		var payment struct {
//			ID     string          `json:"id"`
//			Amount forebay.Decimal `json:"amount"`
//		}
//		if err := m.JSON(&payment); err != nil {
//			return forebay.Outcome{}, err
//		}
//		row := forebay.NewRow("payments").Set("id", payment.ID).Set("amount", payment.Amount)
//		return forebay.Apply().Upsert(row), nil
//	}
//
//	func init() { forebay.Handle(handle) }
//	func main() {}
//
// Natively the same function is plain Go: call it from a test with a [Message] made by hand.
package forebay

// started turns the configuration into the handler, once per instance.
var started func(config string) (func(*Message) (Outcome, error), error)

// Handle registers a handler without configuration. One of Handle, HandleWith and HandleFrom is called once, in init.
func Handle(handle func(*Message) (Outcome, error)) {
	register(func(string) (func(*Message) (Outcome, error), error) { return handle, nil })
}

// HandleWith registers a handler with settings: they are read from the plugin's config table in the manifest, once per
// instance. A table that does not fit keeps the binding from starting.
func HandleWith[Settings any](handle func(*Message, *Settings) (Outcome, error)) {
	register(func(config string) (func(*Message) (Outcome, error), error) {
		settings, err := configOf[Settings](config)
		if err != nil {
			return nil, err
		}
		return func(m *Message) (Outcome, error) { return handle(m, settings) }, nil
	})
}

// HandleFrom registers a handler whose state open makes of the settings, once per instance. An error of open keeps the
// binding from starting.
func HandleFrom[Settings, State any](open func(*Settings) (State, error), handle func(*Message, State) (Outcome, error)) {
	register(func(config string) (func(*Message) (Outcome, error), error) {
		settings, err := configOf[Settings](config)
		if err != nil {
			return nil, err
		}
		state, err := open(settings)
		if err != nil {
			return nil, err
		}
		return func(m *Message) (Outcome, error) { return handle(m, state) }, nil
	})
}

func register(start func(string) (func(*Message) (Outcome, error), error)) {
	if started != nil {
		panic("forebay: two handlers are registered, and a plugin has one")
	}
	started = start
}

func configOf[Settings any](config string) (*Settings, error) {
	settings := new(Settings)
	if err := decode([]byte(config), settings, true); err != nil {
		return nil, Reject("bad-config", "the plugin's `config` table: %s", err.Message)
	}
	return settings, nil
}

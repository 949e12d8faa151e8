package forebay

// Outcome is what becomes of a message that is not rejected: made by [Apply] or [Skip].
type Outcome struct {
	// Effects are in order. None is fine: the message is done.
	Effects []Effect
	// Skipped is why the message is ignored; empty where it is not.
	Skipped string
}

// Kind says what is done with an effect's row, or that it is a message.
type Kind uint8

// The kinds of effects, as the contract numbers them.
const (
	Upsert Kind = iota
	Insert
	Update
	Add
	Delete
	Publish
)

// Effect is one thing that a handler wants done: with Row, or with Message if its kind is Publish.
type Effect struct {
	Kind    Kind
	Row     Row
	Message Notice
}

// Apply starts an outcome without effects, to which they are added: Apply().Upsert(row).Publish(message).
func Apply() Outcome { return Outcome{} }

// Skip ignores the message on purpose. The reason is counted, so it is short and of few distinct values.
func Skip(reason string) Outcome {
	if reason == "" {
		panic("forebay: Skip wants a reason")
	}
	return Outcome{Skipped: reason}
}

// Upsert inserts the row, or changes the given columns of the one with its key.
func (o Outcome) Upsert(row Row) Outcome { return o.with(Effect{Kind: Upsert, Row: row}) }

// Insert appends a row, once.
func (o Outcome) Insert(row Row) Outcome { return o.with(Effect{Kind: Insert, Row: row}) }

// Update changes the given columns of the row with this key.
func (o Outcome) Update(row Row) Outcome { return o.with(Effect{Kind: Update, Row: row}) }

// Add adds to numeric columns of the row with this key; the row is made if it is missing.
func (o Outcome) Add(row Row) Outcome { return o.with(Effect{Kind: Add, Row: row}) }

// Delete removes the row with this key. The row has the key's columns and no others.
func (o Outcome) Delete(row Row) Outcome { return o.with(Effect{Kind: Delete, Row: row}) }

// Publish sends a message once the rows are committed.
func (o Outcome) Publish(message Notice) Outcome {
	return o.with(Effect{Kind: Publish, Message: message})
}

// with appends an effect. A skipped message with an effect is no longer skipped.
func (o Outcome) with(effect Effect) Outcome {
	// Two outcomes that were made of one do not share what comes behind it.
	effects := o.Effects[:len(o.Effects):len(o.Effects)]
	return Outcome{Effects: append(effects, effect)}
}

// A gateway collects what its sensors say and sends it as one message; each reading becomes a row, in one unit for each
// quantity. A message is applied as a whole or not at all: one reading that can not be is a reason to look at the gateway.
package main

import (
	"time"

	"forebay"
)

// Batch is what a message's value says, as JSON. What does not fit ends as a dead letter with line and column.
type Batch struct {
	Gateway  string    `json:"gateway"`
	Readings []Reading `json:"readings"`
}

// Reading is what one sensor said.
type Reading struct {
	Sensor string  `json:"sensor"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	// Milliseconds since the Unix epoch.
	At int64 `json:"at"`
}

// Settings is `config` of this plugin in forebay.toml.
type Settings struct {
	Quantities map[string]Quantity `json:"quantities"`
}

// Quantity says which values are possible, and which is the first one that is too much.
type Quantity struct {
	Low   float64  `json:"low"`
	High  float64  `json:"high"`
	Alarm *float64 `json:"alarm"`
}

// Alarm is what the topic of alarms carries.
type Alarm struct {
	Sensor   string `json:"sensor"`
	Gateway  string `json:"gateway"`
	Quantity string `json:"quantity"`
	Value    string `json:"value"`
	At       int64  `json:"at"`
}

func handle(m *forebay.Message, settings *Settings) (forebay.Outcome, error) {
	if m.IsTombstone() {
		return forebay.Skip("tombstone"), nil
	}
	var batch Batch
	if err := m.JSON(&batch); err != nil {
		return forebay.Outcome{}, err
	}
	if len(batch.Readings) == 0 {
		return forebay.Skip("no readings"), nil
	}
	outcome := forebay.Apply()
	for _, reading := range batch.Readings {
		with, err := apply(outcome, batch.Gateway, reading, settings)
		if err != nil {
			return forebay.Outcome{}, err
		}
		outcome = with
	}
	forebay.Count("readings", uint64(len(batch.Readings)))
	return outcome, nil
}

// apply adds what one reading makes, or says why the message can not be.
func apply(outcome forebay.Outcome, gateway string, reading Reading, settings *Settings) (forebay.Outcome, error) {
	unit, is := units[reading.Unit]
	if !is {
		return outcome, forebay.Reject("unit", "sensor %s measures in %q, which nobody knows", reading.Sensor, reading.Unit)
	}
	quantity, is := settings.Quantities[unit.quantity]
	if !is {
		return outcome, forebay.Reject("quantity", "sensor %s: forebay.toml has no %s", reading.Sensor, unit.quantity)
	}
	value, at := unit.convert(reading.Value), time.UnixMilli(reading.At)
	if value < quantity.Low || value > quantity.High {
		return outcome, forebay.Reject("out-of-range", "sensor %s: %v %s is a %s of %s, which is not within %v and %v",
			reading.Sensor, reading.Value, reading.Unit, unit.quantity, decimal(value), quantity.Low, quantity.High)
	}
	latest := forebay.NewRow("latest").
		Set("sensor", reading.Sensor).
		Set("at", at).
		Set("quantity", unit.quantity).
		Set("value", decimal(value))
	row := forebay.NewRow("readings").
		Set("sensor", reading.Sensor).
		Set("at", at).
		Set("quantity", unit.quantity).
		Set("value", decimal(value)).
		Set("gateway", gateway)
	outcome = outcome.Upsert(row).Upsert(latest)
	if quantity.Alarm == nil || value < *quantity.Alarm {
		return outcome, nil
	}
	alarm := Alarm{reading.Sensor, gateway, unit.quantity, decimal(value), reading.At}
	return outcome.Publish(forebay.NewNotice("alarms").WithKey(reading.Sensor).WithJSON(alarm)), nil
}

func init() { forebay.HandleWith(handle) }

// Go wants one; in a component nothing calls it.
func main() {}

package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"forebay"
)

var hot = 60.0

var settings = &Settings{Quantities: map[string]Quantity{
	"temperature": {Low: -60, High: 150, Alarm: &hot},
	"pressure":    {Low: 300, High: 1200},
}}

func message(readings ...string) *forebay.Message {
	value := `{"gateway":"Halle-Süd","readings":[` + strings.Join(readings, ",") + `]}`
	return &forebay.Message{Topic: "readings", Key: []byte("Halle-Süd"), Value: []byte(value)}
}

func rows(sensor, quantity, value string) (forebay.Row, forebay.Row) {
	at := time.UnixMilli(1500)
	latest := forebay.NewRow("latest").Set("sensor", sensor).Set("at", at).Set("quantity", quantity).Set("value", value)
	row := forebay.NewRow("readings").Set("sensor", sensor).Set("at", at).Set("quantity", quantity).Set("value", value)
	return row.Set("gateway", "Halle-Süd"), latest
}

func expect(t *testing.T, m *forebay.Message, expected forebay.Outcome) {
	t.Helper()
	outcome, err := handle(m, settings)
	if err != nil || !reflect.DeepEqual(outcome, expected) {
		t.Fatalf("%v, %v\nexpected %v", outcome, err, expected)
	}
}

func TestEachReadingBecomesItsRows(t *testing.T) {
	outcome := forebay.Apply()
	row, latest := rows("t-1", "temperature", "22.000")
	outcome = outcome.Upsert(row).Upsert(latest)
	row, latest = rows("p-1", "pressure", "1013.250")
	outcome = outcome.Upsert(row).Upsert(latest)
	expect(t, message(
		`{"sensor":"t-1","value":71.6,"unit":"°F","at":1500}`,
		`{"sensor":"p-1","value":1.01325,"unit":"bar","at":1500}`,
	), outcome)
}

func TestAlarmsAreAnnounced(t *testing.T) {
	row, latest := rows("t-1", "temperature", "60.000")
	value := `{"sensor":"t-1","gateway":"Halle-Süd","quantity":"temperature","value":"60.000","at":1500}`
	notice := forebay.NewNotice("alarms").WithKey("t-1").WithValue([]byte(value))
	expect(t, message(`{"sensor":"t-1","value":60,"unit":"°C","at":1500}`),
		forebay.Apply().Upsert(row).Upsert(latest).Publish(notice))
}

func TestUnits(t *testing.T) {
	for _, test := range []struct {
		unit      string
		from      float64
		converted string
	}{
		{"°C", 21.5, "21.500"}, {"°F", -40, "-40.000"}, {"°F", 31.9999, "0.000"}, {"K", 273.15, "0.000"}, {"K", 300, "26.850"},
		{"hPa", 1013.25, "1013.250"}, {"bar", 0.98, "980.000"}, {"psi", 14.5038, "1000.002"}, {"%", 45.25, "45.250"},
	} {
		if found := decimal(units[test.unit].convert(test.from)); found != test.converted {
			t.Errorf("%v %s: %s, expected %s", test.from, test.unit, found, test.converted)
		}
	}
}

func TestOneImpossibleReadingRejectsTheMessage(t *testing.T) {
	degrees := "out-of-range: sensor t-2: 999.9 °F is a temperature of 537.722, which is not within -60 and 150"
	good := `{"sensor":"t-1","value":20,"unit":"°C","at":1500}`
	for reading, expected := range map[string]string{
		`{"sensor":"t-2","value":999.9,"unit":"°F","at":1500}`: degrees,
		`{"sensor":"t-2","value":20,"unit":"°Ré","at":1500}`:   `unit: sensor t-2 measures in "°Ré", which nobody knows`,
		`{"sensor":"h-1","value":20,"unit":"%","at":1500}`:     "quantity: sensor h-1: forebay.toml has no humidity",
		`{"sensor":"t-2","unit":"°C","at":1500}`:               "malformed: the field `value` is missing at line 1 column 126",
	} {
		outcome, err := handle(message(good, reading), settings)
		if err == nil || err.Error() != expected || len(outcome.Effects) != 0 {
			t.Errorf("%v, %v\nexpected %s", outcome, err, expected)
		}
	}
}

func TestWhatSaysNothingIsSkipped(t *testing.T) {
	expect(t, message(), forebay.Skip("no readings"))
	expect(t, &forebay.Message{Topic: "readings", Key: []byte("Halle-Süd")}, forebay.Skip("tombstone"))
}

package forebay

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

type order struct {
	ID     string            `json:"id"`
	Count  int64             `json:"count"`
	Note   *string           `json:"note"`
	Tags   []string          `json:"tags,omitempty"`
	More   map[string]any    `json:"more,omitempty"`
	Amount Decimal           `json:"amount,omitzero"`
	At     time.Time         `json:"at,omitzero"`
	Names  map[string]string `json:"names,omitempty"`
	hidden string
}

func read(text string) (order, error) {
	var read order
	err := (&Message{Topic: "t", Value: []byte(text)}).JSON(&read)
	return read, err
}

func TestJSONGoesIntoAStruct(t *testing.T) {
	found, err := read(`{"id":"\u00e4\ud83d\ude00\n","count":9223372036854775807,"unknown":[1,{"a":null}],"tags":["a","b"],
		"more":{"n":9007199254740993,"l":[true,null]},"amount":"12.50","at":"2025-11-20T08:00:00Z"}`)
	if err != nil {
		t.Fatal(err)
	}
	expected := order{
		ID: "ä😀\n", Count: 9223372036854775807, Tags: []string{"a", "b"}, Amount: Decimal{digits: "12.50"},
		More: map[string]any{"n": json.Number("9007199254740993"), "l": []any{true, nil}},
		At:   time.Date(2025, 11, 20, 8, 0, 0, 0, time.UTC),
	}
	if !reflect.DeepEqual(found, expected) {
		t.Fatalf("%+v", found)
	}
}

func TestWhatEncodingJSONLetsThroughIsMalformed(t *testing.T) {
	for text, why := range map[string]string{
		`hello`:                                  "expected a value at line 1 column 1",
		"{\n  \"id\": ?}":                        "expected a value at line 2 column 9",
		`{"id":"a"}`:                             "the field `count` is missing at line 1 column 10",
		`{"ID":"a","count":1}`:                   "the field `id` is missing at line 1 column 20",
		`{"id":"a","count":1,"count":2}`:         "the field `count` twice at line 1 column 21",
		`{"id":"a","count":9223372036854775808}`: "the number 9223372036854775808 does not fit a int64 at line 1 column 19",
		`{"id":"a","count":1.0}`:                 "the number 1.0 does not fit a int64 at line 1 column 19",
		`{"id":null,"count":1}`:                  "null where a string is expected at line 1 column 7",
		`{"id":7,"count":1}`:                     "a number where a string is expected at line 1 column 7",
		"{\"id\":\"a\xff\",\"count\":1}":         "the text is not UTF-8 at line 1 column 9",
		`{"id":"\ud800","count":1}`:              "half a letter: a surrogate without its other one at line 1 column 8",
		"{\"id\":\"a\nb\",\"count\":1}":          "a control character in a text at line 1 column 9",
		`{"id":"a","count":1} x`:                 "expected the end, for the value is complete at line 1 column 22",
		`{"id":"a","count":01}`:                  "expected `,` or `}` at line 1 column 20",
		`{"id":"a","count":1,}`:                  "expected a name in quotes at line 1 column 21",
		`{"id":"a","count":1,"amount":1.5}`:      `expected a decimal as a string such as "12.50", or a whole number at line 1 column 30`,
		`{"id":"a`:                               "a text without its closing quote at line 1 column 9",
		``:                                       "expected a value at line 1 column 1",
		strings.Repeat("[", 200):                 "a list where a forebay.order is expected at line 1 column 1",
	} {
		_, err := read(text)
		failure, is := err.(*Failure)
		if !is || failure.Code != "malformed" || failure.Message != why {
			t.Errorf("%s\n  expected %s\n  found    %v", text, why, err)
		}
	}
}

func TestNestingHasAnEnd(t *testing.T) {
	var any any
	err := (&Message{Value: []byte(strings.Repeat("[", 100_000))}).JSON(&any)
	if err == nil || !strings.Contains(err.Error(), "more than 127 values within one another") {
		t.Fatal(err)
	}
}

func TestSettingsAreClosed(t *testing.T) {
	type settings struct {
		Largest int64 `json:"largest"`
	}
	if found, err := configOf[settings](`{"largest":7}`); err != nil || found.Largest != 7 {
		t.Fatal(found, err)
	}
	for _, text := range []string{`{}`, `{"largest":7,"largst":8}`} {
		_, err := configOf[settings](text)
		if failure, is := err.(*Failure); !is || failure.Code != "bad-config" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestEveryTextIsReadAsEncodingJSONReadsIt(t *testing.T) {
	for _, text := range []string{
		`null`, `[]`, `{}`, ` [ 1 , -0.5e+3 , "a\/\"\\\b\f\n\r\t" ] `, `{"a":{"b":[{}]}}`, `"\u2028"`, `-0`, `1E5`, `[,]`, `{"a"}`,
		`"\x"`, `tru`, `nul`, `-`, `1.`, `1e`, `[1 2]`, `{"a":1 "b":2}`, `"`, `\`, `"\`, `"\u12`, `{"a":1}}`,
	} {
		var ours, theirs any
		failure := decode([]byte(text), &ours, false)
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		err := decoder.Decode(&theirs)
		if err == nil && decoder.More() {
			err = Reject("x", "more")
		}
		if (failure == nil) != json.Valid([]byte(text)) || err == nil && !reflect.DeepEqual(ours, theirs) {
			t.Errorf("%s: %v, %v; %v, %v", text, ours, failure, theirs, err)
		}
	}
}

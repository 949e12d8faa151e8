package forebay

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestAColumnTakesGosOwnValues(t *testing.T) {
	type status string
	text, nothing := "x", (*string)(nil)
	at := time.UnixMilli(1500)
	for _, pair := range [][2]any{
		{7, int64(7)}, {int32(-7), int64(-7)}, {uint8(7), int64(7)}, {uint64(1<<63 - 1), int64(1<<63 - 1)},
		{uint64(1 << 63), "9223372036854775808"}, {float32(0.5), 0.5}, {true, true}, {status("new"), "new"}, {&text, "x"},
		{nothing, nil}, {nil, nil}, {[]byte(nil), nil}, {at, at}, {Decimal{digits: "1.50"}, "1.50"},
		{json.RawMessage(`{}`), "{}"}, {JSON([]int{1}), "[1]"},
	} {
		if found, is := NewRow("t").Set("c", pair[0]).Get("c"); !is || !reflect.DeepEqual(found, pair[1]) {
			t.Errorf("%#v became %#v", pair[0], found)
		}
	}
}

func TestAnythingElseIsABug(t *testing.T) {
	defer func() {
		if reason, is := recover().(string); !is || !strings.Contains(reason, "column `c`: a map[string]int is no column's value") {
			t.Fatal(reason)
		}
	}()
	NewRow("t").Set("c", map[string]int{})
}

func TestRowsThatWereBegunAsOneStaySeparate(t *testing.T) {
	base := NewRow("t").Set("a", 1)
	left, right := base.Set("b", 2), base.Set("b", 3)
	if value, _ := left.Get("b"); value != int64(2) {
		t.Fatal(left, right)
	}
	one := Apply().Upsert(base)
	two, three := one.Delete(left), one.Insert(right)
	if two.Effects[1].Kind != Delete || three.Effects[1].Kind != Insert || len(one.Effects) != 1 {
		t.Fatal(two, three)
	}
}

func TestASkipWithAnEffectIsNoSkip(t *testing.T) {
	if outcome := Skip("old").Insert(NewRow("a")); outcome.Skipped != "" || len(outcome.Effects) != 1 {
		t.Fatal(outcome)
	}
}

func TestNullAndEmptyAreToldApart(t *testing.T) {
	if text, err := (&Message{Value: []byte{}}).Text(); text != "" || err != nil {
		t.Fatal(text, err)
	}
	for _, err := range []error{
		second((&Message{}).Text()), second((&Message{}).KeyText()), (&Message{}).JSON(new(int)),
		second((&Message{Key: []byte{0xff}}).KeyText()),
	} {
		if failure, is := err.(*Failure); !is || failure.Code != "malformed" {
			t.Error(err)
		}
	}
}

func second(_ string, err error) error { return err }

func TestTheLastHeaderOfANameCounts(t *testing.T) {
	m := &Message{Headers: []Header{{"a", []byte("1")}, {"a", []byte("2")}, {"b", nil}}}
	if string(m.Header("a")) != "2" || m.Header("b") != nil || m.Header("c") != nil {
		t.Fatal(m)
	}
}

func TestDecimalsAreWhatANumericColumnTakes(t *testing.T) {
	for _, text := range []string{"0", "-12.50", "+1", ".5", "5.", "00.00"} {
		if found, err := ParseDecimal(text); err != nil || found.String() != text {
			t.Error(text, err)
		}
	}
	for _, text := range []string{"", ".", "-", "1e5", "NaN", "1,5", " 1", "1.2.3", "+-1"} {
		if _, err := ParseDecimal(text); err == nil {
			t.Error(text)
		}
	}
}

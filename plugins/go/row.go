package forebay

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"
)

// Row is a row for a logical target.
type Row struct {
	// Target is the target's name in the manifest, not a table's name.
	Target string
	// Columns are in any order, each at most once.
	Columns []Column
}

// Column is a value and the column it is for.
type Column struct {
	Name string
	// Value is nil, bool, int64, float64, string, []byte or time.Time.
	Value any
}

// NewRow starts a row for a target of the manifest.
func NewRow(target string) Row { return Row{Target: target, Columns: make([]Column, 0, 8)} }

// Set gives a column its value: an integer, float, bool, text, []byte, time.Time, Decimal or [JSON], or a pointer to one,
// whose nil is NULL, as nil is itself. Text fits every column in its type's input syntax: a uuid, a date, an array.
// It panics with anything else, for that is a bug.
func (r Row) Set(column string, value any) Row {
	if !isFree(r.Columns) {
		r.Columns = slices.Clip(r.Columns)
	}
	r.Columns = append(r.Columns, Column{Name: column, Value: plain(column, value)})
	return r
}

// isFree returns whether nothing stands behind the columns yet: two rows that were begun as one do not share their ends.
func isFree(columns []Column) bool {
	if len(columns) == cap(columns) {
		return true
	}
	next := columns[:len(columns)+1][len(columns)]
	return next.Name == "" && next.Value == nil
}

// Get returns a column's value, and whether the row has the column.
func (r Row) Get(column string) (any, bool) {
	for _, candidate := range r.Columns {
		if candidate.Name == column {
			return candidate.Value, true
		}
	}
	return nil, false
}

// JSON writes any value as text for a column of the type json. It panics with what encoding/json can not write.
func JSON(value any) string { return string(marshal(value)) }

// plain brings a value into one of the few forms that the contract knows.
func plain(column string, value any) any {
	switch value := value.(type) {
	case nil, bool, int64, float64, string:
		return value
	case int:
		return int64(value)
	case int32:
		return int64(value)
	case []byte:
		if value == nil {
			return nil
		}
		return value
	case time.Time:
		// A monotonic reading is no part of a value.
		return value.Round(0)
	case Decimal:
		return value.String()
	case json.RawMessage:
		return string(value)
	}
	return reflected(column, reflect.ValueOf(value))
}

func reflected(column string, value reflect.Value) any {
	switch value.Kind() {
	case reflect.Pointer:
		if value.IsNil() {
			return nil
		}
		return plain(column, value.Elem().Interface())
	case reflect.Bool:
		return value.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return value.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if value.Uint() > math.MaxInt64 {
			// The column's type in the database decides whether it fits.
			return fmt.Sprint(value.Uint())
		}
		return int64(value.Uint())
	case reflect.Float32, reflect.Float64:
		return value.Float()
	case reflect.String:
		return value.String()
	}
	panic(fmt.Sprintf("forebay: column `%s`: a %s is no column's value; forebay.JSON makes text of it", column, value.Type()))
}

package forebay

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// Where JSON goes to: Go's own values, by the tags that encoding/json has.

// fields of a struct, by their names in JSON.
type fields struct {
	names  map[string]int
	fields []field
}

type field struct {
	name       string
	index      []int
	isOptional bool
}

// known has the fields of types that were met before.
var known sync.Map

var (
	typeOfJSON    = reflect.TypeFor[json.Unmarshaler]()
	typeOfText    = reflect.TypeFor[interface{ UnmarshalText([]byte) error }]()
	typeOfNumber  = reflect.TypeFor[json.Number]()
	typeOfDecimal = reflect.TypeFor[Decimal]()
)

// value reads the next value into what to stands for; without one it is passed over.
func (r *reader) value(to reflect.Value) {
	first, at := r.next(), r.at
	if to.IsValid() && r.custom(to, first) {
		return
	}
	switch {
	case first == '"':
		r.intoText(r.string(), to, at)
	case first == '{':
		r.intoObject(to, at)
	case first == '[':
		r.intoList(to, at)
	case first == '-' || first >= '0' && first <= '9':
		r.intoNumber(r.number(), to, at)
	case r.word("true"):
		r.intoBool(true, to, at)
	case r.word("false"):
		r.intoBool(false, to, at)
	case r.word("null"):
		r.intoNull(to, at)
	default:
		r.refuse(at, "expected a value")
	}
}

// custom reads into types that read themselves, and through pointers.
func (r *reader) custom(to reflect.Value, first byte) bool {
	if to.Kind() == reflect.Pointer {
		if first == 'n' {
			return false
		}
		if to.IsNil() {
			to.Set(reflect.New(to.Type().Elem()))
		}
		r.value(to.Elem())
		return true
	}
	if !to.CanAddr() || to.Type().NumMethod() == 0 && reflect.PointerTo(to.Type()).NumMethod() == 0 {
		return false
	}
	at := r.at
	var err error
	switch address := to.Addr(); {
	case to.Type() == typeOfNumber:
		return false
	case to.Type() == typeOfDecimal && first != '"':
		digits := string(r.raw())
		if strings.ContainsAny(digits, ".eE") {
			r.refuse(at, "expected a decimal as a string such as \"12.50\", or a whole number")
		}
		err = to.Addr().Interface().(*Decimal).UnmarshalText([]byte(digits))
	case address.Type().Implements(typeOfJSON):
		err = address.Interface().(json.Unmarshaler).UnmarshalJSON(r.raw())
	case first == '"' && address.Type().Implements(typeOfText):
		err = address.Interface().(interface{ UnmarshalText([]byte) error }).UnmarshalText([]byte(r.string()))
	default:
		return false
	}
	if failure, is := failureOf(err); is {
		r.refuse(at, "%s", failure.Message)
	} else if err != nil {
		r.refuse(at, "%v", err)
	}
	return true
}

// open returns whether any value at all can be put there.
func open(to reflect.Value) bool { return to.Kind() == reflect.Interface && to.NumMethod() == 0 }

func (r *reader) misfit(at int, what string, to reflect.Value) {
	r.refuse(at, "%s where a %s is expected", what, to.Type())
}

func (r *reader) intoText(text string, to reflect.Value, at int) {
	switch {
	case !to.IsValid():
	case open(to):
		to.Set(reflect.ValueOf(text))
	case to.Kind() == reflect.String && to.Type() != typeOfNumber:
		to.SetString(text)
	case to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8:
		bytes, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			r.refuse(at, "a text that is not base64")
		}
		to.SetBytes(bytes)
	default:
		r.misfit(at, "a text", to)
	}
}

func (r *reader) intoBool(value bool, to reflect.Value, at int) {
	switch {
	case !to.IsValid():
	case open(to):
		to.Set(reflect.ValueOf(value))
	case to.Kind() == reflect.Bool:
		to.SetBool(value)
	default:
		r.misfit(at, strconv.FormatBool(value), to)
	}
}

func (r *reader) intoNull(to reflect.Value, at int) {
	if !to.IsValid() {
		return
	}
	if to.Kind() != reflect.Pointer && !open(to) {
		r.misfit(at, "null", to)
	}
	to.SetZero()
}

func (r *reader) intoNumber(text string, to reflect.Value, at int) {
	if !to.IsValid() {
		return
	}
	if open(to) {
		to.Set(reflect.ValueOf(json.Number(text)))
		return
	}
	var err error
	switch {
	case to.Type() == typeOfNumber:
		to.SetString(text)
	case to.CanInt():
		var value int64
		value, err = strconv.ParseInt(text, 10, to.Type().Bits())
		to.SetInt(value)
	case to.CanUint():
		var value uint64
		value, err = strconv.ParseUint(text, 10, to.Type().Bits())
		to.SetUint(value)
	case to.CanFloat():
		var value float64
		value, err = strconv.ParseFloat(text, to.Type().Bits())
		if !math.IsInf(value, 0) {
			to.SetFloat(value)
		}
	default:
		r.misfit(at, "a number", to)
	}
	if err != nil {
		r.refuse(at, "the number %s does not fit a %s", text, to.Type())
	}
}

func (r *reader) intoList(to reflect.Value, at int) {
	item := func() { r.value(reflect.Value{}) }
	switch {
	case !to.IsValid():
	case open(to):
		list := []any{}
		r.each(']', func() {
			var value any
			r.value(reflect.ValueOf(&value).Elem())
			list = append(list, value)
		})
		to.Set(reflect.ValueOf(list))
		return
	case to.Kind() == reflect.Slice:
		to.Set(reflect.MakeSlice(to.Type(), 0, 0))
		item = func() {
			value := reflect.New(to.Type().Elem()).Elem()
			r.value(value)
			to.Set(reflect.Append(to, value))
		}
	default:
		r.misfit(at, "a list", to)
	}
	r.each(']', item)
}

func (r *reader) intoObject(to reflect.Value, at int) {
	switch {
	case !to.IsValid():
		r.members(func(string, int) { r.value(reflect.Value{}) })
	case open(to):
		object := map[string]any{}
		r.intoMap(reflect.ValueOf(object))
		to.Set(reflect.ValueOf(object))
	case to.Kind() == reflect.Map && to.Type().Key().Kind() == reflect.String:
		to.Set(reflect.MakeMap(to.Type()))
		r.intoMap(to)
	case to.Kind() == reflect.Struct:
		r.intoStruct(to)
	default:
		r.misfit(at, "an object", to)
	}
}

func (r *reader) intoMap(to reflect.Value) {
	r.members(func(name string, at int) {
		key := reflect.ValueOf(name).Convert(to.Type().Key())
		if to.MapIndex(key).IsValid() {
			r.refuse(at, "the field `%s` twice", name)
		}
		value := reflect.New(to.Type().Elem()).Elem()
		r.value(value)
		to.SetMapIndex(key, value)
	})
}

func (r *reader) intoStruct(to reflect.Value) {
	own := fieldsOf(to.Type())
	seen := make([]bool, len(own.fields))
	r.members(func(name string, at int) {
		place, is := own.names[name]
		switch {
		case !is && r.isClosed:
			r.refuse(at, "the field `%s` is not known", name)
		case !is:
			r.value(reflect.Value{})
		case seen[place]:
			r.refuse(at, "the field `%s` twice", name)
		default:
			seen[place] = true
			r.value(to.FieldByIndex(own.fields[place].index))
		}
	})
	for place, field := range own.fields {
		if !seen[place] && !field.isOptional {
			r.refuse(r.at-1, "the field `%s` is missing", field.name)
		}
	}
}

func fieldsOf(kind reflect.Type) *fields {
	if found, is := known.Load(kind); is {
		return found.(*fields)
	}
	own := &fields{names: map[string]int{}}
	for _, candidate := range reflect.VisibleFields(kind) {
		name, options, _ := strings.Cut(candidate.Tag.Get("json"), ",")
		isNested := candidate.Anonymous && name == "" && candidate.Type.Kind() == reflect.Struct
		if !candidate.IsExported() || name == "-" && options == "" || isNested {
			continue
		}
		if name == "" {
			name = candidate.Name
		}
		isOptional := candidate.Type.Kind() == reflect.Pointer || strings.Contains(options, "omit")
		own.names[name] = len(own.fields)
		own.fields = append(own.fields, field{name: name, index: candidate.Index, isOptional: isOptional})
	}
	known.Store(kind, own)
	return own
}

package forebay

import (
	"strconv"
	"strings"
)

// Decimal is an exact decimal, kept as the text it came as. In JSON it wants a string such as "12.50", or a whole number,
// because a fraction as a JSON number loses digits on its way through other programs.
type Decimal struct{ digits string }

// ParseDecimal reads what a numeric column takes: digits with an optional sign and point.
func ParseDecimal(text string) (Decimal, error) {
	unsigned := text
	if strings.HasPrefix(text, "-") || strings.HasPrefix(text, "+") {
		unsigned = text[1:]
	}
	whole, fraction, _ := strings.Cut(unsigned, ".")
	if !isDigits(whole) || !isDigits(fraction) || whole == "" && fraction == "" {
		return Decimal{}, Reject(malformed, "%s is no decimal: expected digits such as \"-12.50\"", strconv.Quote(text))
	}
	return Decimal{digits: text}, nil
}

func isDigits(text string) bool {
	for _, char := range []byte(text) {
		if char < '0' || char > '9' {
			return false
		}
	}
	return true
}

// String returns the digits as they came; "0" for a Decimal that nobody made.
func (d Decimal) String() string {
	if d.digits == "" {
		return "0"
	}
	return d.digits
}

// Float returns the nearest float, for comparisons.
func (d Decimal) Float() float64 {
	// What is out of a float's range is infinite there, too.
	value, _ := strconv.ParseFloat(d.String(), 64)
	return value
}

// UnmarshalText reads it.
func (d *Decimal) UnmarshalText(text []byte) error {
	parsed, err := ParseDecimal(string(text))
	*d = parsed
	return err
}

// MarshalText writes it.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

package main

import "strconv"

// unit is what a sensor measures in, and how that becomes the quantity's own unit.
type unit struct {
	quantity string
	convert  func(float64) float64
}

var units = map[string]unit{
	"°C":  {"temperature", same},
	"°F":  {"temperature", func(value float64) float64 { return (value - 32) * 5 / 9 }},
	"K":   {"temperature", func(value float64) float64 { return value - 273.15 }},
	"hPa": {"pressure", same},
	"bar": {"pressure", func(value float64) float64 { return value * 1000 }},
	"psi": {"pressure", func(value float64) float64 { return value * 68.947573 }},
	"%":   {"humidity", same},
}

func same(value float64) float64 { return value }

// decimal writes a value with three digits behind the point, as the tables keep it. No sensor knows more.
func decimal(value float64) string {
	text := strconv.FormatFloat(value, 'f', 3, 64)
	if text == "-0.000" {
		return text[1:]
	}
	return text
}

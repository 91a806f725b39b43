package metric

import (
	"bytes"
	"encoding/json"
)

// Value is a metric's result.
type Value struct {
	Name  string
	Value float64
}

// Values are the results of some metrics. In JSON they are an object with the names as keys, in this order. NaN and infinities,
// which JSON lacks, are null.
type Values []Value

// MarshalJSON writes the object.
func (v Values) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, value := range v {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(value.Name)      // a string always marshals
		number, err := json.Marshal(value.Value) // of what isn't finite an error
		if err != nil {
			number = []byte("null")
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(number)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

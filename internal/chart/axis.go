package chart

// Axis maps finite values to the range from 0 to 1, for drawings that are not made of characters.
type Axis struct{ scale }

// Tick is a round number on an axis.
type Tick struct {
	At   float64 // from 0 to 1
	Text string
}

// NewAxis is an axis from the least to the greatest of some values. Values that are not finite, or at or below 0 on a logarithmic axis,
// have no place. ok is false if no value has one.
func NewAxis(log bool, values ...[]float64) (axis Axis, ok bool) {
	s := newScale(log)
	for _, some := range values {
		for _, value := range some {
			if place := s.of(value); finite(place) {
				s.include(place)
			}
		}
	}
	if !s.known() {
		return Axis{}, false
	}
	return Axis{s.widened()}, true
}

// Padded is the axis with some room at both ends, as a fraction of its length.
func (a Axis) Padded(fraction float64) Axis {
	room := (a.high - a.low) * fraction
	a.low, a.high = a.low-room, a.high+room
	return a
}

// At is the place of a value; ok is false if it has none.
func (a Axis) At(value float64) (place float64, ok bool) {
	place = (a.of(value) - a.low) / (a.high - a.low)
	return place, finite(place)
}

// Ticks are round numbers on the axis, about as many as wanted. With whole there are only whole numbers.
func (a Axis) Ticks(wanted int, whole bool) (ticks []Tick) {
	for _, l := range a.about(wanted, whole) {
		if at := (l.value - a.low) / (a.high - a.low); at >= 0 && at <= 1 {
			ticks = append(ticks, Tick{at, l.text})
		}
	}
	return ticks
}

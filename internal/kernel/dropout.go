package kernel

import "math"

// DropoutMask sets the masks of values, the first of which has the number first. With the probability rate, at least 0 and below 1, a
// mask is 0 (dropped); otherwise all its bits are set.
//
// A value's mask depends only on the key and the value's number, not on the thread that computes it. The draws come from
// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014). Its n-th draw is a hash of
// key + n·γ, so it doesn't need the draws before it.
func DropoutMask(mask []uint32, key, first uint64, rate float64) {
	const gamma = 0x9e3779b97f4a7c15
	threshold := uint64(math.Round(rate * (1 << 32))) // of a draw's upper 32 bits
	state := key + first*gamma
	for i := range mask {
		state += gamma
		z := state
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		dropped := ((z^z>>31)>>32 - threshold) >> 63 // the sign of a difference, because a branch would often be mispredicted
		mask[i] = uint32(dropped) - 1
	}
}

// Drop sets y to x/(1−rate) where the mask has all bits set, and to 0 where the mask is 0, even if x is NaN there. The division keeps
// the mean (inverted dropout). All slices have one length.
func Drop(y, x []float32, mask []uint32, rate float64) {
	check("Drop", "x", len(x), len(y))
	check("Drop", "mask", len(mask), len(y))
	scale := float32(1 / (1 - rate))
	for i, v := range x {
		y[i] = math.Float32frombits(math.Float32bits(v*scale) & mask[i])
	}
}

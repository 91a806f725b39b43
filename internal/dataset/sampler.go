package dataset

import (
	"math/bits"
	"math/rand/v2"
)

// Sampler gives the order in which an epoch visits the samples: each exactly once (sampling without replacement).
//
// The order depends only on the number of samples, the seed and the epoch. So an epoch can be repeated, or resumed in the middle,
// without the orders before it. The published algorithms below define it exactly, so that a change of the standard library's
// Shuffle does not change it.
type Sampler struct {
	order   []int32
	seed    uint64
	shuffle bool
	source  rand.PCG
}

// NewSampler makes a sampler for n samples. Without shuffle every epoch visits them in the order of the file.
func NewSampler(n int, seed uint64, shuffle bool) *Sampler {
	return &Sampler{order: make([]int32, n), seed: seed, shuffle: shuffle}
}

// Order is the order of an epoch: a permutation of 0 to n-1. The slice belongs to the sampler and is valid until the next call,
// so only one goroutine at a time may use a sampler.
//
// The shuffle is Durstenfeld's (Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2 P), from the last place down to
// the second.
func (s *Sampler) Order(epoch int) []int32 {
	for i := range s.order {
		s.order[i] = int32(i)
	}
	if !s.shuffle {
		return s.order
	}
	// Each half of the PCG's state is a bijection, one of the seed and one of the epoch: no two pairs share a state.
	s.source.Seed(mix(s.seed), mix(uint64(epoch)))
	for i := len(s.order) - 1; i > 0; i-- {
		j := s.below(uint64(i + 1))
		s.order[i], s.order[j] = s.order[j], s.order[i]
	}
	return s.order
}

// below draws a number 0 <= k < n, each equally likely: Lemire, "Fast Random Integer Generation in an Interval", 2019, algorithm
// 5. The number is the top half of a 64x64 bit product. The bottom half shows the few draws that would favour some numbers;
// these are drawn again.
func (s *Sampler) below(n uint64) uint64 {
	high, low := bits.Mul64(s.source.Uint64(), n)
	if low < n {
		for biased := -n % n; low < biased; {
			high, low = bits.Mul64(s.source.Uint64(), n)
		}
	}
	return high
}

// gamma is the distance of two states of SplitMix64: 2⁶⁴ divided by the golden ratio, made odd.
const gamma = 0x9e3779b97f4a7c15

// mix is one step of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014): a bijection
// that maps neighbouring numbers far apart.
func mix(x uint64) uint64 {
	x += gamma
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

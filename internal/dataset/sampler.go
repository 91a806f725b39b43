package dataset

import (
	"math/bits"
	"math/rand/v2"
)

// Sampler gives the order in which an epoch visits the samples: each exactly once (sampling without replacement).
//
// The order is a function of the number of samples, the seed and the epoch alone, so that an epoch can be repeated, or
// training resumed in its midst, without the orders before it. It is fixed here down to the bit, by the published algorithms
// below, so that it outlives changes of the standard library's own Shuffle.
type Sampler struct {
	order   []int32
	seed    uint64
	shuffle bool
	source  rand.PCG
}

// NewSampler makes a sampler of n samples. Without shuffle every epoch visits them in the order of the file.
func NewSampler(n int, seed uint64, shuffle bool) *Sampler {
	return &Sampler{order: make([]int32, n), seed: seed, shuffle: shuffle}
}

// Order is the order of the given epoch: a permutation of 0 to n-1. The slice is the sampler's own, valid until the next
// call; so a sampler serves one goroutine at a time.
//
// The shuffle is Durstenfeld's (Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2 P), from the last place
// down to the second.
func (s *Sampler) Order(epoch int) []int32 {
	for i := range s.order {
		s.order[i] = int32(i)
	}
	if !s.shuffle {
		return s.order
	}
	// Each half of the PCG's state is a bijection of the seed or of the epoch: no two pairs share a state.
	s.source.Seed(mix(s.seed), mix(uint64(epoch)))
	for i := len(s.order) - 1; i > 0; i-- {
		j := s.below(uint64(i + 1))
		s.order[i], s.order[j] = s.order[j], s.order[i]
	}
	return s.order
}

// below draws a number 0 <= k < n, each as likely as the others: Lemire, "Fast Random Integer Generation in an Interval",
// 2019, algorithm 5. The top half of a 64x64 bit product is the number; the few draws that would favour some of them, told
// by the bottom half, are drawn again.
func (s *Sampler) below(n uint64) uint64 {
	high, low := bits.Mul64(s.source.Uint64(), n)
	if low < n {
		for biased := -n % n; low < biased; {
			high, low = bits.Mul64(s.source.Uint64(), n)
		}
	}
	return high
}

// mix is one step of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014): a bijection
// that sends neighbouring numbers far apart.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

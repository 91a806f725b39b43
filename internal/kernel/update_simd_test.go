package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The scalars of an update. Each solver uses some of them.
type updateScalars struct{ rate, meanRate, share1, share2, friction, scale, epsilon, decay float32 }

// updateTwins are the updates with their plain twins, as functions of the slices w, slots and g.
var updateTwins = []struct {
	name         string
	slices       int
	kernel, twin func(s [][]float32, c updateScalars)
}{
	{"SGD", 2,
		func(s [][]float32, c updateScalars) { SGD(s[0], s[1], c.rate, c.decay) },
		func(s [][]float32, c updateScalars) { sgdGo(s[0], s[1], c.rate, c.decay) }},
	{"Momentum", 3,
		func(s [][]float32, c updateScalars) { Momentum(s[0], s[1], s[2], c.rate, c.friction, c.decay) },
		func(s [][]float32, c updateScalars) { momentumGo(s[0], s[1], s[2], c.rate, c.friction, c.decay) }},
	{"Nesterov", 3,
		func(s [][]float32, c updateScalars) { Nesterov(s[0], s[1], s[2], c.rate, c.friction, c.decay) },
		func(s [][]float32, c updateScalars) { nesterovGo(s[0], s[1], s[2], c.rate, c.friction, c.decay) }},
	{"AdaGrad", 3,
		func(s [][]float32, c updateScalars) { AdaGrad(s[0], s[1], s[2], c.rate, c.epsilon, c.decay) },
		func(s [][]float32, c updateScalars) { adaGradGo(s[0], s[1], s[2], c.rate, c.epsilon, c.decay) }},
	{"RMSProp", 3,
		func(s [][]float32, c updateScalars) { RMSProp(s[0], s[1], s[2], c.rate, c.share2, c.epsilon, c.decay) },
		func(s [][]float32, c updateScalars) {
			rmsPropGo(s[0], s[1], s[2], c.rate, slope(c.share2), c.epsilon, c.decay)
		}},
	{"RMSPropMomentum", 4,
		func(s [][]float32, c updateScalars) {
			RMSPropMomentum(s[0], s[1], s[2], s[3], c.rate, c.share2, c.friction, c.epsilon, c.decay)
		},
		func(s [][]float32, c updateScalars) {
			rmsPropMomentumGo(s[0], s[1], s[2], s[3], c.rate, slope(c.share2), c.friction, c.epsilon, c.decay)
		}},
	{"Adam", 4,
		func(s [][]float32, c updateScalars) {
			Adam(s[0], s[1], s[2], s[3], c.rate, c.share1, c.share2, c.scale, c.epsilon, c.decay)
		},
		func(s [][]float32, c updateScalars) {
			adamGo(s[0], s[1], s[2], s[3], c.rate, slope(c.share1), slope(c.share2), c.scale, c.epsilon, c.decay)
		}},
	{"AdamW", 4,
		func(s [][]float32, c updateScalars) {
			AdamW(s[0], s[1], s[2], s[3], c.rate, c.share1, c.share2, c.scale, c.epsilon, c.decay)
		},
		func(s [][]float32, c updateScalars) {
			adamWGo(s[0], s[1], s[2], s[3], c.rate, slope(c.share1), slope(c.share2), c.scale, c.epsilon, c.decay)
		}},
	{"NAdam", 4,
		func(s [][]float32, c updateScalars) {
			NAdam(s[0], s[1], s[2], s[3], c.rate, c.meanRate, c.share1, c.share2, c.scale, c.epsilon, c.decay)
		},
		func(s [][]float32, c updateScalars) {
			nAdamGo(s[0], s[1], s[2], s[3], c.rate, c.meanRate, slope(c.share1), slope(c.share2), c.scale, c.epsilon, c.decay)
		}},
}

// TestUpdateTwins draws shares on both sides of one half, where average changes its formula, and the extreme shares.
func TestUpdateTwins(t *testing.T) {
	shares := []float32{0, 0.001, 0.1, 0.49999997, 0.5, 0.9, 1}
	for _, u := range updateTwins {
		t.Run(u.name, func(t *testing.T) {
			eachSet(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(1, 2))
				for _, n := range lengths(random) {
					for range 4 {
						c := updateScalars{
							rate: random.Float32(), meanRate: random.Float32(), share1: shares[random.IntN(len(shares))],
							share2: shares[random.IntN(len(shares))], friction: random.Float32(), scale: 1 + random.Float32(),
							epsilon: 1e-7, decay: random.Float32() * float32(random.IntN(2)),
						}
						sizes := make([]int, u.slices)
						for i := range sizes {
							sizes[i] = n
						}
						requireTwins(t, random, sizes,
							func(s [][]float32) { u.kernel(s, c) }, func(s [][]float32) { u.twin(s, c) })
					}
				}
			})
		})
	}
}

// FuzzUpdateTwins takes any bits as values and any scalars, except shares outside 0 to 1.
func FuzzUpdateTwins(f *testing.F) {
	f.Add(uint8(6), uint8(1), uint8(255), float32(0.01), float32(1.5), float32(1e-7), []byte("values of four slices, four bytes each, of eight at the least: "+
		"and as much again, for the vectors' sake; and more, for there to be a remainder."))
	f.Fuzz(func(t *testing.T, which, share1, share2 uint8, rate, scale, epsilon float32, data []byte) {
		u := updateTwins[int(which)%len(updateTwins)]
		c := updateScalars{
			rate: rate, meanRate: scale, share1: float32(share1) / 255, share2: float32(share2) / 255,
			friction: epsilon, scale: scale, epsilon: epsilon, decay: rate,
		}
		n := len(data) / (4 * u.slices)
		got, want := make([][]float32, u.slices), make([][]float32, u.slices)
		for i := range got {
			got[i] = make([]float32, n)
			for j := range got[i] {
				got[i][j] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*(i*n+j):]))
			}
			want[i] = append([]float32{}, got[i]...)
		}
		u.kernel(got, c)
		u.twin(want, c)
		for i := range got {
			for j := range got[i] {
				if !sameFloat(got[i][j], want[i][j]) {
					t.Fatalf("%s: slice %d at %d of %d: expected %v, found %v", u.name, i, j, n, want[i][j], got[i][j])
				}
			}
		}
	})
}

// BenchmarkUpdate updates the weights and the bias of the book's first layer, without decay: decay would make the values so small that
// they are denormals, whose arithmetic is slow.
func BenchmarkUpdate(b *testing.B) {
	c := updateScalars{1e-3, 1e-3, 0.1, 0.001, 0.1, 1.5, 1e-7, 0}
	for _, u := range updateTwins {
		for _, n := range []int{100, 78400} {
			s := make([][]float32, u.slices)
			for i := range s {
				s[i] = make([]float32, n)
				for j := range s[i] {
					s[i][j] = 1 / float32(1+j%10)
				}
			}
			benchmarkSets(b, fmt.Sprintf("%s/%d", u.name, n), 4*n*u.slices, func() { u.kernel(s, c) })
		}
	}
}

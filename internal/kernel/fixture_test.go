package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// normals are n values of N(mean, sigma), a function of the seed.
func normals(seed uint64, n int, mean, sigma float64) []float32 {
	r := rand.New(rand.NewPCG(seed, 20260))
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(mean + sigma*r.NormFloat64())
	}
	return values
}

// nans are n NaNs, which the function under test must overwrite.
func nans(n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(math.NaN())
	}
	return values
}

// wantPanic fails unless f panics with this message.
func wantPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if found := recover(); found != want {
			t.Errorf("expected a panic with %q, found %v", want, found)
		}
	}()
	f()
}

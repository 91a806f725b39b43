package kernel

import "testing"

// The rounds of multiply-adds end, and are counted.
func TestMultiplyAdds(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		one := MultiplyAdds(1)
		if one < 2 || MultiplyAdds(0) != 0 || MultiplyAdds(1000) != 1000*one {
			t.Errorf("found %d operations in a round, %d in none", one, MultiplyAdds(0))
		}
	})
}

func BenchmarkMultiplyAdds(b *testing.B) {
	for _, set := range Available() {
		b.Run(set, func(b *testing.B) {
			use(b, set)
			operations := 0
			for b.Loop() {
				operations += MultiplyAdds(1000)
			}
			b.ReportMetric(float64(operations)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}

package kernel

import "runtime"

//go:generate go run -C asm . -out ../peak_amd64.s -stubs ../peak_amd64_stubs.go -pkg kernel peak

// A peakLoop does multiply-adds that don't wait for each other or for memory.
type peakLoop struct {
	run        func(rounds int)
	operations int // of a round
}

// MultiplyAdds does rounds of multiply-adds of float32 values, as wide as the instruction set has them, and returns the number of
// operations, two for each. Nothing is quicker, so their speed is the peak that products are compared with.
func MultiplyAdds(rounds int) (operations int) {
	active.peak.run(rounds)
	return rounds * active.peak.operations
}

// peakSums is the number of sums of peakGo.
const peakSums = 12

func peakGo(rounds int) {
	x, y := float32(0.5), float32(1)
	s := [peakSums]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11 := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9], s[10], s[11]
	for range rounds {
		s0 = float32(s0*x) + y
		s1 = float32(s1*x) + y
		s2 = float32(s2*x) + y
		s3 = float32(s3*x) + y
		s4 = float32(s4*x) + y
		s5 = float32(s5*x) + y
		s6 = float32(s6*x) + y
		s7 = float32(s7*x) + y
		s8 = float32(s8*x) + y
		s9 = float32(s9*x) + y
		s10 = float32(s10*x) + y
		s11 = float32(s11*x) + y
	}
	s = [peakSums]float32{s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11}
	runtime.KeepAlive(s) // otherwise the compiler would leave out the sums
}

package main

// peakSums is the number of sums that don't wait for each other: more than any processor's units times their latency.
const peakSums = 24

// peak writes the loop that measures how many multiply-adds a core can do.
func peak(f *file) {
	k := f.function("peakNEON", "rounds int", "peakGo, with other values.")
	k.parameter("rounds", "R0")
	const x = vector(30)
	k.op("FMOVS", "$0.5", x)
	k.op("VDUP", x.lane(0), x.lanes())
	for i := range vector(peakSums) {
		k.op("VEOR", i.bytes(), i.bytes(), i.bytes())
	}
	k.op("B", "test")
	k.label("round")
	for i := range vector(peakSums) {
		k.fmla(i, x, x)
	}
	k.op("SUB", "$1", "R0")
	k.label("test")
	k.op("CMP", "$0", "R0")
	k.op("BGT", "round")
	k.end()
}

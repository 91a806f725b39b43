package kernel

//go:generate go run -C asm . -out ../memory_amd64.s -stubs ../memory_amd64_stubs.go -pkg kernel memory

// What moves memory towards a processor before it is needed. None of it changes a value, and where there is no instruction for
// it it does nothing.

// Prefetch asks for x to be brought to the processor's second cache, and returns at once.
func Prefetch(x []uint8) { active.prefetch(x) }

// TakeOver takes the cache lines of x away from other processors that have read them, by writing back what is there. The first
// write to such a line waits for the others' answer, some 300 ns where they share no cache, and the writes after it wait in
// turn: an update of weights that another processor has read takes three times as long. Writes that nothing depends on pass
// while the processor computes, as long as no more than some fifty of them are under way.
//
// Nobody may write to x meanwhile; others may read it.
func TakeOver(x []float32) { active.takeOver(x) }

func prefetchNothing([]uint8)   {}
func takeOverNothing([]float32) {}

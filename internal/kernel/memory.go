package kernel

//go:generate go run -C asm . -out ../memory_amd64.s -stubs ../memory_amd64_stubs.go -pkg kernel memory

// These functions move memory towards a processor before it is needed. They change no value. Where the processor has no
// instruction for it, they do nothing.

// Prefetch asks for x to be brought to the processor's second cache, and returns at once.
func Prefetch(x []uint8) { active.prefetch(x) }

// ClaimCacheLines makes this processor the owner of the cache lines of x, by writing back what is there. The first write to a
// line that another processor has read waits for that processor's answer: some 300 ns where they share no cache. Writes that
// follow each other wait in turn, so an update of such weights takes three times as long. A claim lets the processor compute
// while the answers arrive, as long as no more than some fifty are outstanding.
//
// Nobody may write to x meanwhile; others may read it.
func ClaimCacheLines(x []float32) { active.claim(x) }

func prefetchNothing([]uint8) {}
func claimNothing([]float32)  {}

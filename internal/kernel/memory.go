package kernel

//go:generate go run -C asm . -out ../memory_amd64.s -stubs ../memory_amd64_stubs.go -pkg kernel memory

// These functions move memory closer to a processor before it is needed. They change no value. On processors without such an
// instruction, they do nothing.

// Prefetch starts to load x into the processor's second-level cache, and returns at once.
func Prefetch(x []uint8) { active.prefetch(x) }

// ClaimCacheLines makes this processor the owner of the cache lines of x, by writing their values back. The first write to a
// line that another processor has read waits for that processor's answer: about 300 ns if they share no cache. Successive writes wait
// one after the other, so an update of such weights takes three times as long. After a claim the processor computes while the answers
// arrive, if no more than about fifty are outstanding.
//
// No other goroutine may write to x at the same time; others may read it.
func ClaimCacheLines(x []float32) { active.claim(x) }

func prefetchNothing([]uint8) {}
func claimNothing([]float32)  {}

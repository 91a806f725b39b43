//go:build !purego

package kernel

//go:generate go run -C asm . -out ../cpu_amd64.s -stubs ../cpu_amd64_stubs.go -pkg kernel cpu

// A cacheSizes has the bytes of a core's first cache of data and of its second cache.
type cacheSizes struct{ first, second int }

// caches are what the processor says of itself. Where it says nothing, they are the smallest that processors with AVX2 have.
var caches = readCaches(cacheSizes{32 << 10, 256 << 10})

// readCaches asks for each cache in turn, as Intel's processors answer it and then as AMD's do. The answers have one form: the kind
// and the level, and what to multiply.
func readCaches(otherwise cacheSizes) cacheSizes {
	const data, unified = 1, 3
	found := otherwise
	for _, leaf := range []uint32{4, 0x8000001d} {
		if last, _, _, _ := cpuid(leaf&0x80000000, 0); last < leaf {
			continue
		}
		for part := range uint32(8) {
			a, b, c, _ := cpuid(leaf, part)
			kind, level := a&31, a>>5&7
			ways, pieces, line, sets := b>>22+1, b>>12&1023+1, b&4095+1, c+1
			size := int(ways) * int(pieces) * int(line) * int(sets)
			switch {
			case kind != data && kind != unified: // or none any more
			case level == 1:
				found.first = size
			case level == 2:
				found.second = size
			}
		}
	}
	return found
}

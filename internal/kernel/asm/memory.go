package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// lineBytes is the size of a cache line.
const lineBytes = 64

// memory writes the functions that step from cache line to cache line.
func memory() {
	eachLine("prefetchLines", "func(x []uint8)", "asks for each line of x", 1, func(line Mem) { PREFETCHT1(line) })
	eachLine("claimCacheLines", "func(x []float32)", "writes a value of each line of x back to it", 4, func(line Mem) { ORL(Imm(0), line) })
}

// eachLine writes a function that acts on the first value of x and on the values at whole lines after it. The last line may have no
// such value.
func eachLine(name, signature, does string, size int, body func(line Mem)) {
	TEXT(name, 0, signature)
	Pragma("noescape")
	Doc(name + " " + does + ".")
	at, end := base("x"), length("x")
	LEAQ(Mem{Base: at, Index: end, Scale: uint8(size)}, end)
	JMP(LabelRef("test"))
	Label("line")
	body(Mem{Base: at})
	ADDQ(Imm(lineBytes), at)
	Label("test")
	CMPQ(at, end)
	JCS(LabelRef("line"))
	RET()
}

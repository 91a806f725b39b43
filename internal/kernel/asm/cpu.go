package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

// cpu writes the question to the processor about itself.
func cpu() {
	TEXT("cpuid", 0, "func(leaf, part uint32) (a, b, c, d uint32)")
	Doc("cpuid is the instruction of that name.")
	Load(Param("leaf"), reg.EAX)
	Load(Param("part"), reg.ECX)
	CPUID()
	for i, register := range []reg.Register{reg.EAX, reg.EBX, reg.ECX, reg.EDX} {
		Store(register, ReturnIndex(i))
	}
	RET()
}

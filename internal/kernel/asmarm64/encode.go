package main

import "fmt"

// The instructions on vectors of 4 float32 values that Go's assembler lacks, from the "Arm Architecture Reference Manual for
// A-profile architecture", C7.2. They are written as 32-bit words, each with its mnemonic, in which the
// destination comes first. Each rounds once, to nearest.

// An instruction's bits without its registers: the destination's number goes to bit 0, the first operand's to bit 5 and the
// second's to bit 16.
const (
	faddBits  = 0x4e20d400
	fsubBits  = 0x4ea0d400
	fmulBits  = 0x6e20dc00
	fdivBits  = 0x6e20fc00
	fsqrtBits = 0x6ea1f800
	cmltBits  = 0x4ea0a800
	fmlaBits  = 0x4f801000 // with lane 0 of the second operand
)

// binary writes d = a∘b in each lane.
func (f *function) binary(mnemonic string, bits uint32, d, a, b vector) {
	f.word(bits|uint32(b)<<16|uint32(a)<<5|uint32(d), fmt.Sprintf("%s v%d.4s, v%d.4s, v%d.4s", mnemonic, d, a, b))
}

// fsqrt writes d = √a in each lane.
func (f *function) fsqrt(d, a vector) {
	f.word(fsqrtBits|uint32(a)<<5|uint32(d), fmt.Sprintf("fsqrt v%d.4s, v%d.4s", d, a))
}

// signs sets all bits of the lanes of d in which the sign bit of a is set, and none of the others.
func (f *function) signs(d, a vector) {
	f.word(cmltBits|uint32(a)<<5|uint32(d), fmt.Sprintf("cmlt v%d.4s, v%d.4s, #0", d, a))
}

// fmla adds a·b to d in each lane, rounded once. b is a single value, in lane 0.
func (f *function) fmla(d, a, b vector) {
	f.word(fmlaBits|uint32(b)<<16|uint32(a)<<5|uint32(d), fmt.Sprintf("fmla v%d.4s, v%d.4s, v%d.s[0]", d, a, b))
}

// word writes an instruction as its encoding.
func (f *function) word(encoding uint32, comment string) {
	fmt.Fprintf(f.text, "\tWORD\t$0x%08x // %s\n", encoding, comment)
}

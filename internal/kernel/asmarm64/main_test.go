package main

import (
	"os"
	"strings"
	"testing"
)

// The words are those of LLVM's assembler: llvm-mc -triple=aarch64 -show-encoding.
func TestEncodings(t *testing.T) {
	for _, test := range []struct {
		want  string
		write func(*function)
	}{
		{"0x4e3dd7df // fadd v31.4s, v30.4s, v29.4s", func(f *function) { f.binary("fadd", faddBits, 31, 30, 29) }},
		{"0x4ebdd7df // fsub v31.4s, v30.4s, v29.4s", func(f *function) { f.binary("fsub", fsubBits, 31, 30, 29) }},
		{"0x6e22dc20 // fmul v0.4s, v1.4s, v2.4s", func(f *function) { f.binary("fmul", fmulBits, 0, 1, 2) }},
		{"0x6e2cfebe // fdiv v30.4s, v21.4s, v12.4s", func(f *function) { f.binary("fdiv", fdivBits, 30, 21, 12) }},
		{"0x6ea1fa3f // fsqrt v31.4s, v17.4s", func(f *function) { f.fsqrt(31, 17) }},
		{"0x4ea0aa3f // cmlt v31.4s, v17.4s, #0", func(f *function) { f.signs(31, 17) }},
		{"0x4f9b1300 // fmla v0.4s, v24.4s, v27.s[0]", func(f *function) { f.fmla(0, 24, 27) }},
		{"0x4f9f1357 // fmla v23.4s, v26.4s, v31.s[0]", func(f *function) { f.fmla(23, 26, 31) }},
	} {
		text := &strings.Builder{}
		test.write(&function{text: text})
		if got := strings.TrimSpace(strings.TrimPrefix(text.String(), "\tWORD\t$")); got != test.want {
			t.Errorf("expected %s, found %s", test.want, got)
		}
	}
}

// A parameter is aligned to its size, as Go's calling convention for assembly has it.
func TestOffsetsOfParameters(t *testing.T) {
	f := newFile().function("f", "x, y []float32, a, b, c float32, n int, p *float32", "a test.")
	want := map[string]int{"x": 0, "y": 24, "a": 48, "b": 52, "c": 56, "n": 64, "p": 72}
	for name, offset := range want {
		if f.offsets[name] != offset {
			t.Errorf("%s: expected the offset %d, found %d", name, offset, f.offsets[name])
		}
	}
}

// The committed files are those that the generator writes, so a change of only one of them fails here without "go generate".
func TestCommittedFiles(t *testing.T) {
	for name, group := range groups {
		f := newFile()
		group(f)
		for path, want := range map[string]string{name + "_arm64.s": f.text.String(), name + "_arm64_stubs.go": f.stubs.String()} {
			found, err := os.ReadFile("../" + path)
			if err != nil {
				t.Fatal(err)
			}
			if string(found) != want {
				t.Errorf("%s is not what this program writes: run go generate ./internal/kernel", path)
			}
		}
	}
}

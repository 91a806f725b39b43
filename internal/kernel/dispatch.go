package kernel

import (
	"fmt"
	"slices"
	"strings"
)

// The instruction sets that kernels are written for. Each kernel has a plain twin in Go, which serves where there is no other
// and is what the others are tested against.
const (
	Generic = "generic" // Go alone
	AVX2    = "avx2"    // amd64 with AVX2 and FMA
)

// active is the instruction set in use.
var active = available[len(available)-1]

// Active is the instruction set in use: the best that the processor has, unless [Use] has chosen another.
func Active() string { return active }

// Available are the instruction sets that this processor has and this build knows, from the plain one to the best.
func Available() []string { return slices.Clone(available) }

// Use chooses the instruction set, one of [Available]. It must not be called while kernels run.
func Use(name string) error {
	if !slices.Contains(available, name) {
		return fmt.Errorf("expected one of the kernels that this processor has, %s; found %q", strings.Join(available, ", "), name)
	}
	active = name
	return nil
}

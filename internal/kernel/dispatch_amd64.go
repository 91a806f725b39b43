//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

// available is what the processor and the system have.
var available = func() []string {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		return []string{Generic, AVX2}
	}
	return []string{Generic}
}()

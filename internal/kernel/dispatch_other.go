//go:build (!amd64 && !arm64) || purego

package kernel

// simd are the kernels that this processor has besides the plain ones: none.
func simd() []*instructions { return nil }

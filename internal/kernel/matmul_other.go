//go:build !amd64 || purego

package kernel

func productAVX2(c []float32, a, b matrix, bias []float32, m, k, n int) { panic("kernel: no AVX2") }

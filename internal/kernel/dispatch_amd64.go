//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

// simd are the kernels, besides the plain ones, that the processor and the system support.
func simd() (sets []*instructions) {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return nil
	}
	sets = append(sets, &avx2)
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasBMI2 {
		sets = append(sets, &avx512)
	}
	return sets
}

// avx2 are the kernels for AVX2 and FMA.
var avx2 = instructions{
	name: "avx2",

	product: productAVX2,
	peak:    peakLoop{peakAVX2, 2 * 12 * 8},
	conv:    &convAVX2,

	relu:      reluAVX2,
	reluGrad:  reluGradAVX2,
	gelu:      geluAVX2,
	geluGrad:  geluGradAVX2,
	tanh:      tanhAVX2,
	tanhGrad:  tanhGradAVX2,
	elu:       eluAVX2,
	eluGrad:   eluGradAVX2,
	selu:      seluAVX2,
	seluGrad:  seluGradAVX2,
	sumRows:   sumRowsAVX2,
	allFinite: allFiniteAVX2,

	prefetch: prefetchLines,
	claim:    claimCacheLines,

	maxPool:      maxPoolAVX2,
	maxPoolGrad:  maxPoolGradAVX2,
	meanPool:     meanPoolAVX2,
	meanPoolGrad: meanPoolGradAVX2,

	intensities: intensitiesAVX2,
	softmax:     softmaxAVX2,

	widen:             widenAVX2,
	layerNormRows:     layerNormRowsAVX2,
	layerNormGradRows: layerNormGradRowsAVX2,
	layerNormColumns:  layerNormColumnsAVX2,

	sgd:             sgdAVX2,
	momentum:        momentumAVX2,
	nesterov:        nesterovAVX2,
	adaGrad:         adaGradAVX2,
	rmsProp:         rmsPropAVX2,
	rmsPropMomentum: rmsPropMomentumAVX2,
	adam:            adamAVX2,
	adamW:           adamWAVX2,
	nAdam:           nAdamAVX2,
}

// avx512 are the kernels for AVX-512 (F, VL, DQ and BW) and BMI2.
var avx512 = instructions{
	name: "avx512",

	product: productAVX512,
	peak:    peakLoop{peakAVX512, 2 * 12 * 16},
	conv:    &convAVX512,

	relu:      reluAVX512,
	reluGrad:  reluGradAVX512,
	gelu:      geluAVX512,
	geluGrad:  geluGradAVX512,
	tanh:      tanhAVX512,
	tanhGrad:  tanhGradAVX512,
	elu:       eluAVX512,
	eluGrad:   eluGradAVX512,
	selu:      seluAVX512,
	seluGrad:  seluGradAVX512,
	sumRows:   sumRowsAVX512,
	allFinite: allFiniteAVX512,

	prefetch: prefetchLines,
	claim:    claimCacheLines,

	maxPool:      maxPoolAVX512,
	maxPoolGrad:  maxPoolGradAVX512,
	meanPool:     meanPoolAVX512,
	meanPoolGrad: meanPoolGradAVX512,

	intensities: intensitiesAVX512,
	softmax:     softmaxAVX512,

	widen:             widenAVX512,
	layerNormRows:     layerNormRowsAVX512,
	layerNormGradRows: layerNormGradRowsAVX512,
	layerNormColumns:  layerNormColumnsAVX512,

	sgd:             sgdAVX512,
	momentum:        momentumAVX512,
	nesterov:        nesterovAVX512,
	adaGrad:         adaGradAVX512,
	rmsProp:         rmsPropAVX512,
	rmsPropMomentum: rmsPropMomentumAVX512,
	adam:            adamAVX512,
	adamW:           adamWAVX512,
	nAdam:           nAdamAVX512,
}

//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

// simd are the kernels that the processor and the system have besides the plain ones.
func simd() (sets []*instructions) {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		sets = append(sets, &avx2)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW {
			sets = append(sets, &avx512)
		}
	}
	return sets
}

// avx2 are the kernels for AVX2 and FMA.
var avx2 = instructions{
	name: "avx2",

	product: productAVX2,

	relu:     reluAVX2,
	reluGrad: reluGradAVX2,
	sumRows: func(sum, x []float32) {
		if len(sum) < lanes {
			sumRowsGo(sum, x)
			return
		}
		sumRowsAVX2(sum, x)
	},
	allFinite: func(x []float32) bool {
		if len(x) < lanes {
			return allFiniteGo(x)
		}
		return allFiniteAVX2(x)
	},

	intensities: intensitiesGo,
	softmax:     softmaxGo,

	rowMoments:        rowMomentsAVX2,
	normalize:         normalizeAVX2,
	layerNormGradSums: layerNormGradSumsAVX2,
	layerNormGradRow:  layerNormGradRowAVX2,
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

// avx512 are the kernels for AVX-512 (F, VL, DQ and BW), with those for AVX2 where wider vectors have nothing to gain.
var avx512 = func() instructions {
	set := avx2
	set.name = "avx512"
	set.product = productAVX512
	return set
}()

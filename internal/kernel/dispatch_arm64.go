//go:build !purego

package kernel

// simd are the kernels that the processor has besides the plain ones: every arm64 has NEON, which the architecture calls
// Advanced SIMD.
func simd() []*instructions { return []*instructions{&neon} }

// neon are the kernels for NEON: the products and the updates, which take most of a step's time, and plain kernels for the rest.
var neon = func() instructions {
	set := generic
	set.name = "neon"
	set.product = productNEON
	set.peak = peakLoop{peakNEON, 2 * 24 * 4}
	set.sgd = sgdNEON
	set.momentum = momentumNEON
	set.nesterov = nesterovNEON
	set.adaGrad = adaGradNEON
	set.rmsProp = rmsPropNEON
	set.rmsPropMomentum = rmsPropMomentumNEON
	set.adam = adamNEON
	set.adamW = adamWNEON
	set.nAdam = nAdamNEON
	return set
}()

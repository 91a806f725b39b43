package kernel

import (
	"fmt"
	"slices"
	"strings"
)

// Generic is the name of the kernels in plain Go.
const Generic = "generic"

// instructions are the kernels of one instruction set. They don't check lengths.
type instructions struct {
	name string

	product func(c, a, b, start Matrix) // as product, with at least one row, column and term
	peak    peakLoop
	conv    *convKernels // nil is the plain way

	relu      func(y, x []float32)
	reluGrad  func(dx, dy, y []float32)
	gelu      func(y, x []float32)
	geluGrad  func(dx, dy, x []float32)
	tanh      func(y, x []float32)
	tanhGrad  func(dx, dy, x []float32)
	elu       func(y, x []float32)
	eluGrad   func(dx, dy, x []float32)
	selu      func(y, x []float32)
	seluGrad  func(dx, dy, x []float32)
	sumRows   func(sum, x []float32)
	allFinite func(x []float32) bool

	prefetch func(x []uint8)
	claim    func(x []float32)

	maxPool      func(y, x []float32, channels, height, width, next int)
	maxPoolGrad  func(dx, dy, x, y []float32, channels, height, width, next int)
	meanPool     func(y, x []float32, channels, height, width, next int, count float32)
	meanPoolGrad func(dx, dy []float32, channels, height, width, next int, count float32)

	intensities func(y []float32, pixels []uint8)
	softmax     func(p []float32, exps []float64, x []float32, largest float64) (sum float64)

	widen             func(to []float64, from []float32)
	layerNormRows     func(y, x []float32, alpha, beta, work []float64, inside, outside float64, mean, inv, correction []float64)
	layerNormGradRows func(dx, dy, x []float32, alpha, g, xHat, sums, mean, inv, correction []float64)
	layerNormColumns  func(dAlpha, dBeta, dy, x []float32, mean, inv []float64, left, n int)

	sgd             func(w, g []float32, rate, decay float32)
	momentum        func(w, velocity, g []float32, rate, friction, decay float32)
	nesterov        func(w, velocity, g []float32, rate, friction, decay float32)
	adaGrad         func(w, sum, g []float32, rate, epsilon, decay float32)
	rmsProp         func(w, square, g []float32, rate, slope, epsilon, decay float32)
	rmsPropMomentum func(w, square, velocity, g []float32, rate, slope, friction, epsilon, decay float32)
	adam            func(w, m, v, g []float32, rate, slope1, slope2, scale, epsilon, decay float32)
	adamW           func(w, m, v, g []float32, rate, slope1, slope2, scale, epsilon, decay float32)
	nAdam           func(w, m, v, g []float32, gradientRate, meanRate, slope1, slope2, scale, epsilon, decay float32)
}

// generic are the plain kernels. They run on processors without assembly, and the assembly is tested against them.
var generic = instructions{
	name: Generic,

	product: productGo,
	peak:    peakLoop{peakGo, 2 * peakSums},

	relu:      reluGo,
	reluGrad:  reluGradGo,
	gelu:      geluGo,
	geluGrad:  geluGradGo,
	tanh:      tanhGo,
	tanhGrad:  tanhGradGo,
	elu:       eluGo,
	eluGrad:   eluGradGo,
	selu:      seluGo,
	seluGrad:  seluGradGo,
	sumRows:   sumRowsGo,
	allFinite: allFiniteGo,

	prefetch: prefetchNothing,
	claim:    claimNothing,

	maxPool:      maxPoolGo,
	maxPoolGrad:  maxPoolGradGo,
	meanPool:     meanPoolGo,
	meanPoolGrad: meanPoolGradGo,

	intensities: intensitiesGo,
	softmax:     softmaxGo,

	widen:             widenGo,
	layerNormRows:     layerNormRowsGo,
	layerNormGradRows: layerNormGradRowsGo,
	layerNormColumns:  layerNormColumnsGo,

	sgd:             sgdGo,
	momentum:        momentumGo,
	nesterov:        nesterovGo,
	adaGrad:         adaGradGo,
	rmsProp:         rmsPropGo,
	rmsPropMomentum: rmsPropMomentumGo,
	adam:            adamGo,
	adamW:           adamWGo,
	nAdam:           nAdamGo,
}

// available are the kernels that this processor can run and this build has, from the plain ones to the fastest.
var available = append([]*instructions{&generic}, simd()...)

// active are the kernels in use.
var active = available[len(available)-1]

// Active is the instruction set in use: the fastest that the processor has, unless [Use] has chosen another.
func Active() string { return active.name }

// Available are the instruction sets that this processor and this build have, from the plain one to the fastest.
func Available() []string {
	names := make([]string, len(available))
	for i, set := range available {
		names[i] = set.name
	}
	return names
}

// Use chooses the instruction set, one of [Available]. It must not be called while kernels run.
func Use(name string) error {
	i := slices.Index(Available(), name)
	if i < 0 {
		return fmt.Errorf("expected one of the kernels that this processor has, %s; found %q", strings.Join(Available(), ", "), name)
	}
	active = available[i]
	return nil
}

package kernel

import "math"

//go:generate go run -C asm . -out ../activation_amd64.s -stubs ../activation_amd64_stubs.go -pkg kernel activation

// SELU's constants (Klambauer et al., "Self-Normalizing Neural Networks", 2017).
const (
	seluAlpha = 1.6732632423543772848170429916717
	seluScale = 1.0507009873554804934193349852946
)

// An Activation is an element-wise function and its derivative. Forward sets y = f(x); Backward sets dx = dy⊗f'(x), given
// both x and y. All slices of a call have one length.
type Activation struct {
	Forward  func(y, x []float32)
	Backward func(dx, dy, x, y []float32)
}

// The activations of the book's chapters 10 and 11. A NaN stays a NaN in each of them.
var (
	// ReLU is max(0, x), with derivative 0 at 0.
	ReLU = Activation{Forward: relu, Backward: reluGrad}

	// GELU is x·Φ(x), Φ the normal distribution function (Hendrycks and Gimpel, 2016), not its approximation by tanh.
	GELU = pointwise(
		func(x float64) float64 { return x * normalCDF(x) },
		func(x, _ float64) float64 { return normalCDF(x) + float64(x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)) },
	)

	// Tanh is the hyperbolic tangent.
	Tanh = pointwise(math.Tanh, func(_, y float64) float64 { return 1 - float64(y*y) })

	// ELU is x for x > 0, else exp(x)−1 (Clevert et al., 2015, with α = 1).
	ELU = pointwise(elu(1, 1))

	// SELU is ELU scaled so that a deep net normalises itself (Klambauer et al., 2017).
	SELU = pointwise(elu(seluScale, seluAlpha))
)

func relu(y, x []float32) {
	check("ReLU.Forward", "y", len(y), len(x))
	active.relu(y, x)
}

func reluGo(y, x []float32) {
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		y[i] = v
	}
}

func reluGrad(dx, dy, _, y []float32) {
	check("ReLU.Backward", "dx", len(dx), len(y))
	check("ReLU.Backward", "dy", len(dy), len(y))
	active.reluGrad(dx, dy, y)
}

func reluGradGo(dx, dy, y []float32) {
	for i, v := range y {
		if v > 0 {
			dx[i] = dy[i]
		} else {
			dx[i] = 0
		}
	}
}

func normalCDF(x float64) float64 { return float64(0.5 * math.Erfc(-x/math.Sqrt2)) }

func elu(scale, alpha float64) (f func(float64) float64, derivative func(x, y float64) float64) {
	f = func(x float64) float64 {
		if x > 0 {
			return scale * x
		}
		return scale * alpha * math.Expm1(x)
	}
	derivative = func(x, _ float64) float64 {
		if x > 0 {
			return scale
		}
		return scale * alpha * math.Exp(x)
	}
	return f, derivative
}

// pointwise makes an activation from a function and its derivative, given x and y = f(x), both computed in float64.
func pointwise(f func(float64) float64, derivative func(x, y float64) float64) Activation {
	return Activation{
		Forward: func(y, x []float32) {
			for i, v := range x {
				y[i] = float32(f(float64(v)))
			}
		},
		Backward: func(dx, dy, x, y []float32) {
			for i, v := range dy {
				dx[i] = float32(float64(v) * derivative(float64(x[i]), float64(y[i])))
			}
		},
	}
}

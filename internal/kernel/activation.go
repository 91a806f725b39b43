package kernel

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
	GELU = smoothActivation("GELU",
		func(k *instructions) func(y, x []float32) { return k.gelu },
		func(k *instructions) func(dx, dy, x []float32) { return k.geluGrad })

	// Tanh is the hyperbolic tangent.
	Tanh = smoothActivation("Tanh",
		func(k *instructions) func(y, x []float32) { return k.tanh },
		func(k *instructions) func(dx, dy, x []float32) { return k.tanhGrad })

	// ELU is x for x > 0, else exp(x)−1 (Clevert et al., 2015, with α = 1).
	ELU = smoothActivation("ELU",
		func(k *instructions) func(y, x []float32) { return k.elu },
		func(k *instructions) func(dx, dy, x []float32) { return k.eluGrad })

	// SELU is ELU scaled so that a deep net normalises itself (Klambauer et al., 2017).
	SELU = smoothActivation("SELU",
		func(k *instructions) func(y, x []float32) { return k.selu },
		func(k *instructions) func(dx, dy, x []float32) { return k.seluGrad })
)

// smoothActivation makes an activation whose derivative is a function of x, from its kernels in a set.
func smoothActivation(
	name string, forward func(*instructions) func(y, x []float32), backward func(*instructions) func(dx, dy, x []float32),
) Activation {
	f, grad := name+".Forward", name+".Backward"
	return Activation{
		Forward: func(y, x []float32) {
			check(f, "y", len(y), len(x))
			forward(active)(y, x)
		},
		Backward: func(dx, dy, x, _ []float32) {
			check(grad, "dx", len(dx), len(x))
			check(grad, "dy", len(dy), len(x))
			backward(active)(dx, dy, x)
		},
	}
}

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

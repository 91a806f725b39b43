package kernel

import "math"

//go:generate go run -C asm . -out ../update_amd64.s -stubs ../update_amd64_stubs.go -pkg kernel update

// The solvers' updates. Each function is one solver's whole update of one parameter w by its gradient g, in one pass over the
// slices. It updates the parameter's slots in place, then w. All slices have one length, none may overlap another, and g is
// only read. The caller computes the scalars in float64 and rounds them once.
//
// Averages and velocities take c = 1−β, not the decay rate β. The float32 nearest to β = 0.999 is off by 1.3e-8. That is negligible
// for β, but it is 1.3e-5 of c, and β·a + (1−β)·x would converge to a value that far from the mean of x. c is from 0 to 1 and has 24 bits
// of precision itself.
//
// decay is the weight decay. All but [AdamW] add decay·w to the gradient, the derivative of ½·decay·‖w‖² (L2).
//
// The formulas follow torch.optim: https://pytorch.org/docs/stable/optim.html
//
// The assembly does the same operations in the same order, each rounded, on several values at a time. So it gives the same bits
// as the plain twin.

// slope encodes a share c from 0 to 1 for [average]: c if average starts from a, c−1 if it starts from x. The sign, also of a zero,
// says which.
func slope(c float32) float32 {
	if c < 0.5 {
		return c
	}
	return -(1 - c)
}

// average moves a towards x by the share c, (1−c)·a + c·x, given the [slope] of c: to a + c·(x−a) or x + (c−1)·(x−a). It
// starts from the nearer of the two. If c is small it starts from a: then it rounds only once to a's size, and follows x more closely
// than a sum of two products. If c is large it starts from x, so that a small x is not lost in the rounding of a large a.
func average(a, x, slope float32) float32 {
	start := a
	if math.Float32bits(slope)>>31 != 0 {
		start = x
	}
	return start + float32(slope*(x-a))
}

// sqrt is the correctly rounded square root: rounding twice does not change its result, and the compiler emits one instruction.
func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// SGD is plain gradient descent:
//
//	w ← w − rate·(g + decay·w)
func SGD(w, g []float32, rate, decay float32) {
	check("SGD", "g", len(g), len(w))
	active.sgd(w, g, rate, decay)
}

func sgdGo(w, g []float32, rate, decay float32) {
	for i, x := range w {
		d := g[i] + float32(decay*x)
		w[i] = x - float32(rate*d)
	}
}

// Momentum is gradient descent with a velocity that loses the share friction = 1 − momentum at each step:
//
//	velocity ← (1−friction)·velocity + g + decay·w
//	w ← w − rate·velocity
func Momentum(w, velocity, g []float32, rate, friction, decay float32) {
	check("Momentum", "velocity", len(velocity), len(w))
	check("Momentum", "g", len(g), len(w))
	active.momentum(w, velocity, g, rate, friction, decay)
}

func momentumGo(w, velocity, g []float32, rate, friction, decay float32) {
	for i, x := range w {
		d := g[i] + float32(decay*x)
		v := float32(velocity[i]-float32(friction*velocity[i])) + d
		velocity[i] = v
		w[i] = x - float32(rate*v)
	}
}

// Nesterov is [Momentum] that looks one step ahead: w moves by the velocity after another step with the same gradient.
//
//	velocity ← (1−friction)·velocity + g + decay·w
//	w ← w − rate·(g + decay·w + (1−friction)·velocity)
func Nesterov(w, velocity, g []float32, rate, friction, decay float32) {
	check("Nesterov", "velocity", len(velocity), len(w))
	check("Nesterov", "g", len(g), len(w))
	active.nesterov(w, velocity, g, rate, friction, decay)
}

func nesterovGo(w, velocity, g []float32, rate, friction, decay float32) {
	for i, x := range w {
		d := g[i] + float32(decay*x)
		v := float32(velocity[i]-float32(friction*velocity[i])) + d
		velocity[i] = v
		ahead := float32(v-float32(friction*v)) + d
		w[i] = x - float32(rate*ahead)
	}
}

// AdaGrad divides the gradient by the root of the sum of all its squares so far:
//
//	sum ← sum + d²   with d = g + decay·w
//	w ← w − rate·d/(√sum + epsilon)
func AdaGrad(w, sum, g []float32, rate, epsilon, decay float32) {
	check("AdaGrad", "sum", len(sum), len(w))
	check("AdaGrad", "g", len(g), len(w))
	active.adaGrad(w, sum, g, rate, epsilon, decay)
}

func adaGradGo(w, sum, g []float32, rate, epsilon, decay float32) {
	for i, x := range w {
		d := g[i] + float32(decay*x)
		s := sum[i] + float32(d*d)
		sum[i] = s
		w[i] = x - float32(rate*(d/(sqrt(s)+epsilon)))
	}
}

// RMSProp divides the gradient by the root of the moving average of its square, to which each step adds the share 1 − ρ:
//
//	square ← (1−share)·square + share·d²   with d = g + decay·w
//	w ← w − rate·d/(√square + epsilon)
func RMSProp(w, square, g []float32, rate, share, epsilon, decay float32) {
	check("RMSProp", "square", len(square), len(w))
	check("RMSProp", "g", len(g), len(w))
	active.rmsProp(w, square, g, rate, slope(share), epsilon, decay)
}

func rmsPropGo(w, square, g []float32, rate, slope, epsilon, decay float32) {
	for i, x := range w {
		d := g[i] + float32(decay*x)
		s := average(square[i], float32(d*d), slope)
		square[i] = s
		w[i] = x - float32(rate*(d/(sqrt(s)+epsilon)))
	}
}

// RMSPropMomentum is [RMSProp] with the velocity of [Momentum] on top:
//
//	square ← (1−share)·square + share·d²   with d = g + decay·w
//	velocity ← (1−friction)·velocity + d/(√square + epsilon)
//	w ← w − rate·velocity
func RMSPropMomentum(w, square, velocity, g []float32, rate, share, friction, epsilon, decay float32) {
	check("RMSPropMomentum", "square", len(square), len(w))
	check("RMSPropMomentum", "velocity", len(velocity), len(w))
	check("RMSPropMomentum", "g", len(g), len(w))
	active.rmsPropMomentum(w, square, velocity, g, rate, slope(share), friction, epsilon, decay)
}

func rmsPropMomentumGo(w, square, velocity, g []float32, rate, slope, friction, epsilon, decay float32) {
	for i, x := range w {
		d := g[i] + float32(decay*x)
		s := average(square[i], float32(d*d), slope)
		square[i] = s
		v := float32(velocity[i]-float32(friction*velocity[i])) + d/(sqrt(s)+epsilon)
		velocity[i] = v
		w[i] = x - float32(rate*v)
	}
}

// Adam divides the moving average of the gradient by the root of the moving average of its square (Kingma & Ba 2015,
// algorithm 1):
//
//	m ← (1−share1)·m + share1·d,   v ← (1−share2)·v + share2·d²   with d = g + decay·w
//	w ← w − rate·m/(scale·√v + epsilon)
//
// The averages start at 0 and are too small at first. The caller corrects for it: at step t, rate = learning rate/(1−β₁ᵗ) and
// scale = 1/√(1−β₂ᵗ).
func Adam(w, m, v, g []float32, rate, share1, share2, scale, epsilon, decay float32) {
	check("Adam", "m", len(m), len(w))
	check("Adam", "v", len(v), len(w))
	check("Adam", "g", len(g), len(w))
	active.adam(w, m, v, g, rate, slope(share1), slope(share2), scale, epsilon, decay)
}

func adamGo(w, m, v, g []float32, rate, slope1, slope2, scale, epsilon, decay float32) {
	for i, x := range w {
		d := g[i] + float32(decay*x)
		mean, square := average(m[i], d, slope1), average(v[i], float32(d*d), slope2)
		m[i], v[i] = mean, square
		w[i] = x - float32(rate*(mean/(float32(scale*sqrt(square))+epsilon)))
	}
}

// AdamW is [Adam] with decoupled weight decay (Loshchilov & Hutter 2019): it is not part of the gradient, so large gradients do not make
// it small:
//
//	w ← w − decay·w − rate·m/(scale·√v + epsilon)
//
// Here decay is the learning rate times the weight decay. The two steps are added before w is rounded: w·(1−decay) would lose
// most of a decay as small as 4e-7 to rounding.
func AdamW(w, m, v, g []float32, rate, share1, share2, scale, epsilon, decay float32) {
	check("AdamW", "m", len(m), len(w))
	check("AdamW", "v", len(v), len(w))
	check("AdamW", "g", len(g), len(w))
	active.adamW(w, m, v, g, rate, slope(share1), slope(share2), scale, epsilon, decay)
}

func adamWGo(w, m, v, g []float32, rate, slope1, slope2, scale, epsilon, decay float32) {
	for i, x := range w {
		d := g[i]
		mean, square := average(m[i], d, slope1), average(v[i], float32(d*d), slope2)
		m[i], v[i] = mean, square
		w[i] = x - (float32(decay*x) + float32(rate*(mean/(float32(scale*sqrt(square))+epsilon))))
	}
}

// NAdam is [Adam] with Nesterov's look ahead (Dozat 2016): the gradient and its average have separate rates.
//
//	w ← w − (gradientRate·d + meanRate·m)/(scale·√v + epsilon)
//
// m, v, d and scale are the same as in [Adam]. The two rates contain the momentum's schedule.
func NAdam(w, m, v, g []float32, gradientRate, meanRate, share1, share2, scale, epsilon, decay float32) {
	check("NAdam", "m", len(m), len(w))
	check("NAdam", "v", len(v), len(w))
	check("NAdam", "g", len(g), len(w))
	active.nAdam(w, m, v, g, gradientRate, meanRate, slope(share1), slope(share2), scale, epsilon, decay)
}

func nAdamGo(w, m, v, g []float32, gradientRate, meanRate, slope1, slope2, scale, epsilon, decay float32) {
	for i, x := range w {
		d := g[i] + float32(decay*x)
		mean, square := average(m[i], d, slope1), average(v[i], float32(d*d), slope2)
		m[i], v[i] = mean, square
		step := float32(gradientRate*d) + float32(meanRate*mean)
		w[i] = x - step/(float32(scale*sqrt(square))+epsilon)
	}
}

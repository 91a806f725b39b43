package solver

import (
	"math"

	"fmtrain/internal/kernel"
)

// adam scales the average gradient by the average square (Kingma & Ba 2015).
func adam(o Options) rule { return withMoments(kernel.Adam, o) }

// adamw is adam with decoupled weight decay (Loshchilov & Hutter 2019).
func adamw(o Options) rule {
	r := withMoments(kernel.AdamW, o)
	r.decoupled = true
	return r
}

// withMoments is adam or adamw. Their kernels differ in where they put the weight decay.
func withMoments(update func(w, m, v, g []float32, rate, share1, share2, scale, epsilon, decay float32), o Options) rule {
	var rate, scale, share1 float32
	share2, epsilon := float32(1-o.Beta2), float32(o.Epsilon)
	beta1 := o.Beta1
	return rule{
		slots:    []string{"m", "v"},
		momentum: &beta1,
		begin: func(learningRate float64, step uint64) {
			share1 = float32(1 - beta1)
			rate = float32(learningRate / (1 - math.Pow(beta1, float64(step))))
			scale = float32(1 / math.Sqrt(1-math.Pow(o.Beta2, float64(step))))
		},
		update: func(w, g []float32, s slots, weightDecay float32) {
			update(w, s[0], s[1], g, rate, share1, share2, scale, epsilon, weightDecay)
		},
	}
}

// nadam is adam with Nesterov's look ahead (Dozat 2016). Its momentum μ grows from about β₁/2 to β₁ over the steps,
//
//	μₜ = β₁·(1 − ½·0.96^(ψ·t))
//
// and the biases of gradient and average are corrected by products of all μ so far: P = μ₁·…·μₜ, kept as the scalar
// mu_product, for the gradient, and P·μₜ·μₜ₊₁ for the average. The paper has P·μₜ₊₁ there. The other μₜ is PyTorch's, up to
// 1.13 (2.0 dropped it: https://github.com/pytorch/pytorch/pull/92699), and is kept because the reference weights of our
// tests are 1.13's. With the default options it shortens the average's part of the first step by an eighth, and of the
// tenth by 1e-4 of it: P more than halves at each step.
//
// The conversions to float64 round the products, which a compiler may otherwise fuse with the subtraction on some processors.
func nadam(o Options) rule {
	var gradientRate, meanRate, scale, share1 float32
	share2, epsilon := float32(1-o.Beta2), float32(o.Epsilon)
	beta1 := o.Beta1
	mu := func(step uint64) float64 {
		return beta1 * (1 - float64(0.5*math.Pow(0.96, o.MomentumDecay*float64(step))))
	}
	product := 1.0
	return rule{
		slots:    []string{"m", "v"},
		scalars:  map[string]*float64{"mu_product": &product},
		momentum: &beta1,
		begin: func(learningRate float64, step uint64) {
			share1 = float32(1 - beta1)
			now, next := mu(step), mu(step+1)
			product = float64(product * now)
			gradientRate = float32(learningRate * (1 - now) / (1 - product))
			meanRate = float32(learningRate * next / (1 - float64(product*now*next)))
			scale = float32(1 / math.Sqrt(1-math.Pow(o.Beta2, float64(step))))
		},
		update: func(w, g []float32, s slots, weightDecay float32) {
			kernel.NAdam(w, s[0], s[1], g, gradientRate, meanRate, share1, share2, scale, epsilon, weightDecay)
		},
	}
}

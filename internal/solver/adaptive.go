package solver

import "fmtrain/internal/kernel"

// adagrad scales each step by all gradients so far (Duchi et al. 2011).
func adagrad(o Options) rule {
	var rate float32
	epsilon := float32(o.Epsilon)
	return rule{
		slots: []string{"sum"},
		begin: func(learningRate float64, _ uint64) { rate = float32(learningRate) },
		update: func(w, g []float32, s slots, weightDecay float32) {
			kernel.AdaGrad(w, s[0], g, rate, epsilon, weightDecay)
		},
	}
}

// rmsprop scales each step by the recent gradients (Tieleman & Hinton 2012). With a momentum it also keeps a velocity.
func rmsprop(o Options) rule {
	var rate, friction float32
	share, epsilon := float32(1-o.Rho), float32(o.Epsilon)
	if o.Momentum == 0 {
		return rule{
			slots: []string{"square"},
			begin: func(learningRate float64, _ uint64) { rate = float32(learningRate) },
			update: func(w, g []float32, s slots, weightDecay float32) {
				kernel.RMSProp(w, s[0], g, rate, share, epsilon, weightDecay)
			},
		}
	}
	keep := o.Momentum
	return rule{
		slots:    []string{"square", "velocity"},
		momentum: &keep,
		begin: func(learningRate float64, _ uint64) {
			rate, friction = float32(learningRate), float32(1-keep)
		},
		update: func(w, g []float32, s slots, weightDecay float32) {
			kernel.RMSPropMomentum(w, s[0], s[1], g, rate, share, friction, epsilon, weightDecay)
		},
	}
}

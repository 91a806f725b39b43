package solver

import "fmtrain/internal/kernel"

// sgd is plain stochastic gradient descent.
func sgd(Options) rule {
	var rate float32
	return rule{
		begin: func(learningRate float64, _ uint64) { rate = float32(learningRate) },
		update: func(w, g []float32, _ slots, weightDecay float32) {
			kernel.SGD(w, g, rate, weightDecay)
		},
	}
}

// momentum is Polyak's heavy ball (1964).
func momentum(o Options) rule { return withVelocity(kernel.Momentum, o) }

// nesterov is Nesterov's accelerated gradient (1983), in the form of Sutskever et al. 2013 with the gradient taken at the
// parameters themselves.
func nesterov(o Options) rule { return withVelocity(kernel.Nesterov, o) }

func withVelocity(update func(w, velocity, g []float32, rate, friction, decay float32), o Options) rule {
	var rate, friction float32
	keep := o.Momentum
	return rule{
		slots:    []string{"velocity"},
		momentum: &keep,
		begin: func(learningRate float64, _ uint64) {
			rate, friction = float32(learningRate), float32(1-keep)
		},
		update: func(w, g []float32, s slots, weightDecay float32) {
			update(w, s[0], g, rate, friction, weightDecay)
		},
	}
}

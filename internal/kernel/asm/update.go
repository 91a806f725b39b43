package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

// update writes the solvers' updates. Each body follows its plain twin line by line.
func update() {
	newElementwise("sgd", "[SGD]", []string{"w", "g"}, []string{"rate", "decay"}, func(k *elementwise) {
		w := k.load("w")
		k.store("w", sub(w, mul(k.scalars["rate"], k.gradient(w))))
	})

	newElementwise("momentum", "[Momentum]",
		[]string{"w", "velocity", "g"}, []string{"rate", "friction", "decay"}, func(k *elementwise) {
			w := k.load("w")
			v := add(k.slowed(k.load("velocity")), k.gradient(w))
			k.store("velocity", v)
			k.store("w", sub(w, mul(k.scalars["rate"], v)))
		})

	newElementwise("nesterov", "[Nesterov]",
		[]string{"w", "velocity", "g"}, []string{"rate", "friction", "decay"}, func(k *elementwise) {
			w := k.load("w")
			d := k.gradient(w)
			v := add(k.slowed(k.load("velocity")), d)
			k.store("velocity", v)
			ahead := add(k.slowed(v), d)
			k.store("w", sub(w, mul(k.scalars["rate"], ahead)))
		})

	newElementwise("adaGrad", "[AdaGrad]",
		[]string{"w", "sum", "g"}, []string{"rate", "epsilon", "decay"}, func(k *elementwise) {
			w := k.load("w")
			d := k.gradient(w)
			s := add(k.load("sum"), mul(d, d))
			k.store("sum", s)
			k.store("w", sub(w, mul(k.scalars["rate"], div(d, add(sqrt(s), k.scalars["epsilon"])))))
		})

	newElementwise("rmsProp", "[RMSProp]",
		[]string{"w", "square", "g"}, []string{"rate", "slope", "epsilon", "decay"}, func(k *elementwise) {
			w := k.load("w")
			d := k.gradient(w)
			s := k.average("square", mul(d, d), "slope")
			k.store("w", sub(w, mul(k.scalars["rate"], div(d, add(sqrt(s), k.scalars["epsilon"])))))
		})

	newElementwise("rmsPropMomentum", "[RMSPropMomentum]",
		[]string{"w", "square", "velocity", "g"},
		[]string{"rate", "slope", "friction", "epsilon", "decay"}, func(k *elementwise) {
			w := k.load("w")
			d := k.gradient(w)
			s := k.average("square", mul(d, d), "slope")
			v := add(k.slowed(k.load("velocity")), div(d, add(sqrt(s), k.scalars["epsilon"])))
			k.store("velocity", v)
			k.store("w", sub(w, mul(k.scalars["rate"], v)))
		})

	newElementwise("adam", "[Adam]",
		[]string{"w", "m", "v", "g"},
		[]string{"rate", "slope1", "slope2", "scale", "epsilon", "decay"}, func(k *elementwise) {
			w := k.load("w")
			mean, root := k.moments(k.gradient(w))
			k.store("w", sub(w, mul(k.scalars["rate"], div(mean, root))))
		})

	newElementwise("adamW", "[AdamW]",
		[]string{"w", "m", "v", "g"},
		[]string{"rate", "slope1", "slope2", "scale", "epsilon", "decay"}, func(k *elementwise) {
			w := k.load("w")
			mean, root := k.moments(k.load("g"))
			k.store("w", sub(w, add(mul(k.scalars["decay"], w), mul(k.scalars["rate"], div(mean, root)))))
		})

	newElementwise("nAdam", "[NAdam]",
		[]string{"w", "m", "v", "g"},
		[]string{"gradientRate", "meanRate", "slope1", "slope2", "scale", "epsilon", "decay"}, func(k *elementwise) {
			w := k.load("w")
			d := k.gradient(w)
			mean, root := k.moments(d)
			step := add(mul(k.scalars["gradientRate"], d), mul(k.scalars["meanRate"], mean))
			k.store("w", sub(w, div(step, root)))
		})
}

// gradient is g + decay·w.
func (k *elementwise) gradient(w reg.VecVirtual) reg.VecVirtual {
	return add(k.load("g"), mul(k.scalars["decay"], w))
}

// slowed is v − friction·v.
func (k *elementwise) slowed(v reg.VecVirtual) reg.VecVirtual {
	return sub(v, mul(k.scalars["friction"], v))
}

// average moves the slot towards x and returns its new value. The slope's sign says which of the two it starts from.
func (k *elementwise) average(slot string, x reg.VecVirtual, slope string) reg.VecVirtual {
	a, start := k.load(slot), k.vector()
	if k.wide {
		VBLENDMPS(x, a, k.negative[slope], start)
	} else {
		VBLENDVPS(k.scalars[slope], x, a, start)
	}
	moved := add(start, mul(k.scalars[slope], sub(x, a)))
	k.store(slot, moved)
	return moved
}

// moments updates Adam's averages m and v by d and returns m and scale·√v + epsilon.
func (k *elementwise) moments(d reg.VecVirtual) (mean, root reg.VecVirtual) {
	mean = k.average("m", d, "slope1")
	square := k.average("v", mul(d, d), "slope2")
	return mean, add(mul(k.scalars["scale"], sqrt(square)), k.scalars["epsilon"])
}

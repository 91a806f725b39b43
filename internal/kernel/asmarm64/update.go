package main

import (
	"fmt"
	"strings"
)

// update writes the solvers' updates. Each body follows its plain twin line by line.
func update(f *file) {
	newElementwise(f, "sgdNEON", "[SGD].", []string{"w", "g"}, []string{"rate", "decay"}, func(k *elementwise) {
		w := k.load("w")
		k.store("w", k.sub(w, k.mul(k.scalars["rate"], k.gradient(w))))
	})

	newElementwise(f, "momentumNEON", "[Momentum].",
		[]string{"w", "velocity", "g"}, []string{"rate", "friction", "decay"}, func(k *elementwise) {
			w := k.load("w")
			v := k.add(k.slowed(k.load("velocity")), k.gradient(w))
			k.store("velocity", v)
			k.store("w", k.sub(w, k.mul(k.scalars["rate"], v)))
		})

	newElementwise(f, "nesterovNEON", "[Nesterov].",
		[]string{"w", "velocity", "g"}, []string{"rate", "friction", "decay"}, func(k *elementwise) {
			w := k.load("w")
			d := k.gradient(w)
			v := k.add(k.slowed(k.load("velocity")), d)
			k.store("velocity", v)
			ahead := k.add(k.slowed(v), d)
			k.store("w", k.sub(w, k.mul(k.scalars["rate"], ahead)))
		})

	newElementwise(f, "adaGradNEON", "[AdaGrad].",
		[]string{"w", "sum", "g"}, []string{"rate", "epsilon", "decay"}, func(k *elementwise) {
			w := k.load("w")
			d := k.gradient(w)
			s := k.add(k.load("sum"), k.mul(d, d))
			k.store("sum", s)
			k.store("w", k.sub(w, k.mul(k.scalars["rate"], k.div(d, k.add(k.sqrt(s), k.scalars["epsilon"])))))
		})

	newElementwise(f, "rmsPropNEON", "[RMSProp].",
		[]string{"w", "square", "g"}, []string{"rate", "slope", "epsilon", "decay"}, func(k *elementwise) {
			w := k.load("w")
			d := k.gradient(w)
			s := k.average("square", k.mul(d, d), "slope")
			k.store("w", k.sub(w, k.mul(k.scalars["rate"], k.div(d, k.add(k.sqrt(s), k.scalars["epsilon"])))))
		})

	newElementwise(f, "rmsPropMomentumNEON", "[RMSPropMomentum].",
		[]string{"w", "square", "velocity", "g"},
		[]string{"rate", "slope", "friction", "epsilon", "decay"}, func(k *elementwise) {
			w := k.load("w")
			d := k.gradient(w)
			s := k.average("square", k.mul(d, d), "slope")
			v := k.add(k.slowed(k.load("velocity")), k.div(d, k.add(k.sqrt(s), k.scalars["epsilon"])))
			k.store("velocity", v)
			k.store("w", k.sub(w, k.mul(k.scalars["rate"], v)))
		})

	newElementwise(f, "adamNEON", "[Adam].",
		[]string{"w", "m", "v", "g"},
		[]string{"rate", "slope1", "slope2", "scale", "epsilon", "decay"}, func(k *elementwise) {
			w := k.load("w")
			mean, root := k.moments(k.gradient(w))
			k.store("w", k.sub(w, k.mul(k.scalars["rate"], k.div(mean, root))))
		})

	newElementwise(f, "adamWNEON", "[AdamW].",
		[]string{"w", "m", "v", "g"},
		[]string{"rate", "slope1", "slope2", "scale", "epsilon", "decay"}, func(k *elementwise) {
			w := k.load("w")
			mean, root := k.moments(k.load("g"))
			k.store("w", k.sub(w, k.add(k.mul(k.scalars["decay"], w), k.mul(k.scalars["rate"], k.div(mean, root)))))
		})

	newElementwise(f, "nAdamNEON", "[NAdam].",
		[]string{"w", "m", "v", "g"},
		[]string{"gradientRate", "meanRate", "slope1", "slope2", "scale", "epsilon", "decay"}, func(k *elementwise) {
			w := k.load("w")
			d := k.gradient(w)
			mean, root := k.moments(d)
			step := k.add(k.mul(k.scalars["gradientRate"], d), k.mul(k.scalars["meanRate"], mean))
			k.store("w", k.sub(w, k.div(step, root)))
		})
}

// gradient is g + decay·w.
func (k *elementwise) gradient(w vector) vector {
	return k.add(k.load("g"), k.mul(k.scalars["decay"], w))
}

// slowed is v − friction·v.
func (k *elementwise) slowed(v vector) vector {
	return k.sub(v, k.mul(k.scalars["friction"], v))
}

// average moves the slot towards x and returns its new value. The sign of the slope says which of the two it starts from.
func (k *elementwise) average(slot string, x vector, slope string) vector {
	a := k.load(slot)
	start := k.choose(k.signs[slope], x, a)
	moved := k.add(start, k.mul(k.scalars[slope], k.sub(x, a)))
	k.store(slot, moved)
	return moved
}

// moments updates Adam's averages m and v by d and returns m and scale·√v + epsilon.
func (k *elementwise) moments(d vector) (mean, root vector) {
	mean = k.average("m", d, "slope1")
	square := k.average("v", k.mul(d, d), "slope2")
	return mean, k.add(k.mul(k.scalars["scale"], k.sqrt(square)), k.scalars["epsilon"])
}

// An elementwise is a kernel under construction that does the same at each index of some slices of one length: a loop for whole vectors,
// then the rest value by value, in the first lane of vectors whose other lanes are 0.
type elementwise struct {
	*function
	slices  map[string]string // registers that point to the next values
	scalars map[string]vector // each in all lanes
	signs   map[string]vector // of the scalars that are slopes, as masks
	next    vector            // the first free register
	move    string            // the instruction that loads and stores: a whole vector or one value
}

// newElementwise writes the function with this name, slices and scalars. body writes the arithmetic of one vector, in the order and with
// the roundings of the plain twin.
func newElementwise(f *file, name, twin string, slices, scalars []string, body func(*elementwise)) {
	parameters := fmt.Sprintf("%s []float32, %s float32", strings.Join(slices, ", "), strings.Join(scalars, ", "))
	k := &elementwise{function: f.function(name, parameters, twin),
		slices: map[string]string{}, scalars: map[string]vector{}, signs: map[string]vector{}}
	for i, s := range slices {
		k.slices[s] = fmt.Sprint("R", i)
		k.slice(s, k.slices[s])
	}
	for _, s := range scalars {
		k.scalars[s] = k.vector()
		k.broadcast(s, k.scalars[s])
		if strings.HasPrefix(s, "slope") {
			k.signs[s] = k.vector()
			k.function.signs(k.signs[s], k.scalars[s])
		}
	}
	const vectors, left = "R4", "R5"
	k.length(slices[0], left)
	k.op("LSR", "$2", left, vectors)
	k.op("AND", "$3", left, left)

	free := k.next
	for _, part := range []struct {
		name, count, move string
		values            int
	}{{"vectors", vectors, "FMOVQ", lanes}, {"values", left, "FMOVS", 1}} {
		k.next, k.move = free, part.move
		done := part.name + "Done"
		k.op("CBZ", part.count, done)
		k.label(part.name)
		body(k)
		for _, s := range slices {
			k.op("ADD", fmt.Sprint("$", 4*part.values), k.slices[s])
		}
		k.op("SUB", "$1", part.count)
		k.op("CBNZ", part.count, part.name)
		k.label(done)
	}
	k.end()
}

// vector is a register that was not used before in the body: there are enough for each of its values to have its own.
func (k *elementwise) vector() vector {
	if k.next > 31 {
		panic("asmarm64: more values than vector registers")
	}
	k.next++
	return k.next - 1
}

func (k *elementwise) load(slice string) vector {
	v := k.vector()
	k.op(k.move, at(k.slices[slice], 0), v)
	return v
}

func (k *elementwise) store(slice string, v vector) { k.op(k.move, v, at(k.slices[slice], 0)) }

// choose is x where the mask is set and a elsewhere.
func (k *elementwise) choose(mask, x, a vector) vector {
	v := k.vector()
	k.op("VMOV", a.bytes(), v.bytes())
	k.op("VBIT", mask.bytes(), x.bytes(), v.bytes())
	return v
}

// The arithmetic of vectors. Each operation rounds once, as the same operation in Go does.

func (k *elementwise) add(a, b vector) vector { return k.operation("fadd", faddBits, a, b) }
func (k *elementwise) sub(a, b vector) vector { return k.operation("fsub", fsubBits, a, b) }
func (k *elementwise) mul(a, b vector) vector { return k.operation("fmul", fmulBits, a, b) }
func (k *elementwise) div(a, b vector) vector { return k.operation("fdiv", fdivBits, a, b) }

func (k *elementwise) operation(mnemonic string, bits uint32, a, b vector) vector {
	v := k.vector()
	k.binary(mnemonic, bits, v, a, b)
	return v
}

func (k *elementwise) sqrt(a vector) vector {
	v := k.vector()
	k.fsqrt(v, a)
	return v
}

package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"fmtrain/internal/kernel"
)

// product is a matrix product, or a convolution in one direction.
type product struct {
	shape string
	work  float64 // its operations, in 10⁹
	*measurement
}

// newProduct is the matrix product c [m,n] = a [m,k] · b [k,n]. The form says which of a and b is stored transposed: NN neither, as in a
// forward pass, TN a, as in the gradient of a weight, NT b, as in the gradient of a layer's input.
func newProduct(form string, m, k, n int) *product {
	random := rand.New(rand.NewPCG(1, 2))
	values := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = random.Float32() - 0.5
		}
		return x
	}
	c := kernel.RowMajor(make([]float32, m*n), m, n)
	var a, b kernel.Matrix
	if form[0] == 'T' {
		a = kernel.RowMajor(values(k*m), k, m).T()
	} else {
		a = kernel.RowMajor(values(m*k), m, k)
	}
	if form[1] == 'T' {
		b = kernel.RowMajor(values(n*k), n, k).T()
	} else {
		b = kernel.RowMajor(values(k*n), k, n)
	}
	return &product{shapeOf(form, m, k, n), 2 * float64(m) * float64(k) * float64(n) / 1e9, repeated(func() { kernel.Gemm(c, a, b, 1, 0) })}
}

func shapeOf(form string, m, k, n int) string { return fmt.Sprintf("%s %dx%dx%d", form, m, k, n) }

// repeated measures something that can't fail.
func repeated(compute func()) *measurement {
	return &measurement{do: func(times int) error {
		for range times {
			compute()
		}
		return nil
	}}
}

// products are those of the steps, and some larger ones.
type products []*product

func newProducts() (all products) {
	add := func(form string, m, k, n int) {
		if !slices.ContainsFunc(all, func(p *product) bool { return p.shape == shapeOf(form, m, k, n) }) {
			all = append(all, newProduct(form, m, k, n))
		}
	}
	for _, s := range stepKinds {
		in := s.inputs()
		for i, out := range s.hidden {
			add("NN", s.batch, in[i], out)
			add("TN", in[i], s.batch, out)
			if i > 0 { // the images have no gradient
				add("NT", s.batch, out, in[i])
			}
		}
	}
	add("NT", 128, 300, 784)
	add("NN", 1024, 1024, 1024)
	add("NT", 1024, 1024, 1024)
	return all
}

func (p products) measurements() (all []*measurement) {
	for _, product := range p {
		all = append(all, product.measurement)
	}
	return all
}

func (p products) report(r *Report) {
	for _, product := range p {
		speed := product.work / product.best()
		r.Products = append(r.Products, Product{product.shape, speed, speed / r.Peak.One})
	}
}

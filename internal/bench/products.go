package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"fmtrain/internal/kernel"
)

// product is a matrix product, c [m,n] = a [m,k] · b [k,n]. The form says which of a and b is stored transposed: NN neither, as in a
// forward pass, TN a, as in the gradient of a weight, NT b, as in the gradient of a layer's input.
type product struct {
	form    string
	m, k, n int
	*measurement
}

// work is its operations, in 10⁹.
func (p *product) work() float64 { return 2 * float64(p.m) * float64(p.k) * float64(p.n) / 1e9 }

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
	return &product{form, m, k, n, &measurement{do: func(times int) error {
		for range times {
			kernel.Gemm(c, a, b, 1, 0)
		}
		return nil
	}}}
}

// products are those of the steps, and some larger ones.
type products []*product

func newProducts() (all products) {
	add := func(form string, m, k, n int) {
		if !slices.ContainsFunc(all, func(p *product) bool { return p.form == form && p.m == m && p.k == k && p.n == n }) {
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
		speed := product.work() / product.best()
		shape := fmt.Sprintf("%s %dx%dx%d", product.form, product.m, product.k, product.n)
		r.Products = append(r.Products, Product{shape, speed, speed / r.Peak.One})
	}
}

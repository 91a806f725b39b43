//go:build unix

package kernel

import (
	"math/rand/v2"
	"testing"
)

// Factors that end at a page that faults are not read beyond their ends, nor before their beginnings.
func TestProductsReadTheirFactorsAlone(t *testing.T) {
	eachProduct(t, func(t *testing.T, form productForm) {
		random := rand.New(rand.NewPCG(5, 6))
		for _, s := range [][3]int{{1, 1, 1}, {3, 5, 7}, {4, 9, 10}, {33, 17, 100}, {70, 31, 29}, {5, 300, 23}, {66, 3, 41},
			{23, 9, 40}, {11, 8, 31}, {2, 15, 9}, {520, 2, 20},
			{193, 5, 50}, {640, 100, 200}} {
			for _, end := range []bool{false, true} {
				p := newProductProblem(random, form, s[0], s[1], s[2], 0)
				for _, x := range []*[]float32{&p.a, &p.b, &p.bias} {
					edge := atEdge(t, len(*x), end)
					copy(edge, *x)
					*x = edge
				}
				p.c = atEdge(t, len(p.c), end)
				form.multiply(p.c, p.a, p.b, p.bias, p.m, p.k, p.n)
				p.requireNear(t, p.c)
			}
		}
	})
}

//go:build unix

package kernel

import (
	"math/rand/v2"
	"testing"
)

// Slices that begin or end at a page that faults are not read or written beyond their ends.
func TestConvAtEdge(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(41, 42))
		for range 25 {
			c, images := drawConv(random)
			p := newConvProblem(c, images, drawNormals(random))
			for _, end := range []bool{false, true} {
				inside := *p
				for _, x := range []*[]float32{&inside.x, &inside.w, &inside.bias, &inside.dy} {
					edge := atEdge(t, len(*x), end)
					copy(edge, *x)
					*x = edge
				}
				y, dx, dw, db := atEdge(t, len(p.dy), end), atEdge(t, len(p.x), end), atEdge(t, len(p.w), end), atEdge(t, p.Out, end)
				inside.Forward(y, inside.x, inside.w, inside.bias, images)
				inside.InputGrad(dx, inside.dy, inside.w, images)
				inside.WeightGrad(dw, inside.dy, inside.x, images, 0, 1)
				inside.BiasGrad(db, inside.dy, images)
				for i, found := range [][]float32{y, dx, dw, db} {
					if !sameBits(found, p.run(convDirections[i], 1)) {
						t.Errorf("%v: %s differs", p, convDirections[i])
					}
				}
			}
		}
	})
}

// A part of dw writes nothing outside of it, and no part writes to the inputs.
func TestConvWritesItsResultAlone(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(43, 44))
		for range 40 {
			c, images := drawConv(random)
			p := newConvProblem(c, images, drawNormals(random))
			before := newConvProblem(c, images, func([]float32) {})
			for i, x := range [][]float32{p.x, p.w, p.bias, p.dy} {
				copy([][]float32{before.x, before.w, before.bias, before.dy}[i], x)
			}
			parts := 1 + random.IntN(4)
			part := random.IntN(parts)
			dw := make([]float32, len(p.w))
			for i := range dw {
				dw[i] = guard
			}
			p.WeightGrad(dw, p.dy, p.x, images, part, parts)
			top, bottom, left, right := c.share(part, parts)
			for i, v := range dw {
				row, column := i/c.Out, i%c.Out
				within := row >= top && row < bottom && column >= left && column < right
				if same := sameBits([]float32{v}, []float32{guard}); same == within {
					t.Fatalf("%v: part %d of %d: found %v in row %d, column %d", p, part, parts, v, row, column)
				}
			}
			p.run("forward", 1)
			p.run("input", 1)
			if !sameBits(p.x, before.x) || !sameBits(p.w, before.w) || !sameBits(p.bias, before.bias) || !sameBits(p.dy, before.dy) {
				t.Fatalf("%v: an input was written to", p)
			}
		}
	})
}

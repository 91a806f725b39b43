package bench

import (
	"fmt"
	"math/rand/v2"

	"fmtrain/internal/kernel"
)

const convImages = 128 // of the batch

// newConvolutions are the convolutions of 3x3 of a small residual network, for a batch, in each direction: forward, dX and dW.
func newConvolutions() (all products) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []kernel.Conv{
		{Height: 28, Width: 28, In: 1, Out: 32, K: 3, Stride: 1, Pad: 1},
		{Height: 28, Width: 28, In: 32, Out: 32, K: 3, Stride: 1, Pad: 1},
		{Height: 14, Width: 14, In: 64, Out: 64, K: 3, Stride: 1, Pad: 1},
		{Height: 7, Width: 7, In: 128, Out: 128, K: 3, Stride: 1, Pad: 1},
	} {
		x := make([]float32, convImages*c.Height*c.Width*c.In)
		y := make([]float32, convImages*c.OutHeight()*c.OutWidth()*c.Out)
		w, bias := make([]float32, c.K*c.K*c.In*c.Out), make([]float32, c.Out)
		for _, values := range [][]float32{x, y, w} {
			for i := range values {
				values[i] = random.Float32() - 0.5
			}
		}
		work := 2 * convImages * float64(c.OutHeight()*c.OutWidth()*c.Out) * float64(c.K*c.K*c.In) / 1e9
		add := func(direction string, compute func()) {
			shape := fmt.Sprintf("conv %dx%dx%dx%d to %d %s", convImages, c.Height, c.Width, c.In, c.Out, direction)
			all = append(all, &product{shape, work, repeated(compute)})
		}
		result := make([]float32, max(len(x), len(y), len(w)))
		add("forward", func() { c.Forward(result[:len(y)], x, w, bias, convImages) })
		if c.In > 1 { // the images have no gradient
			add("dX", func() { c.InputGrad(result[:len(x)], y, w, convImages) })
		}
		add("dW", func() { c.WeightGrad(result[:len(w)], y, x, convImages, 0, 1) })
	}
	return all
}

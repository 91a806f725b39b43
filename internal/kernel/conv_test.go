package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A convProblem is a convolution with its inputs, which lie in slices of their own.
type convProblem struct {
	Conv
	images         int
	x, w, bias, dy []float32
}

func newConvProblem(c Conv, images int, draw func([]float32)) *convProblem {
	p := &convProblem{c, images, make([]float32, images*c.Height*c.Width*c.In), make([]float32, c.K*c.K*c.In*c.Out),
		make([]float32, c.Out), make([]float32, images*c.OutHeight()*c.OutWidth()*c.Out)}
	for _, x := range [][]float32{p.x, p.w, p.bias, p.dy} {
		draw(x)
	}
	return p
}

func (p *convProblem) String() string {
	return fmt.Sprintf("%+v, %d images, %s", p.Conv, p.images, Active())
}

// pixel is a value of x, or 0 beside the map.
func (p *convProblem) pixel(image, row, column, i int) float32 {
	if row < 0 || row >= p.Height || column < 0 || column >= p.Width {
		return 0
	}
	return p.x[((image*p.Height+row)*p.Width+column)*p.In+i]
}

// gradient is a value of dy, or 0 beside the map.
func (p *convProblem) gradient(image, row, column, o int) float32 {
	if row < 0 || row >= p.OutHeight() || column < 0 || column >= p.OutWidth() {
		return 0
	}
	return p.dy[((image*p.OutHeight()+row)*p.OutWidth()+column)*p.Out+o]
}

// A convSum adds up the terms of one result: as the kernels promise it, and in float64, and the terms' magnitudes.
type convSum struct {
	sum, block   float32
	exact, size  float64
	chain, terms int // the longest chain of roundings, and the terms of the block
}

func (s *convSum) add(x, y float32) {
	if Active() == Generic {
		s.block += float32(x * y)
	} else {
		s.block = fusedMultiplyAdd(x, y, s.block)
	}
	s.exact += float64(x) * float64(y)
	s.size += math.Abs(float64(x) * float64(y))
	s.terms++
}

// end ends a block of terms.
func (s *convSum) end() {
	s.sum += s.block
	s.block = 0
	s.chain = max(s.chain, s.terms) + 1
	s.terms = 0
}

// eachResult calls f with each result of one of the directions, where it lies, and its sum: seven loops for each direction.
func (p *convProblem) eachResult(direction string, f func(at int, s convSum)) {
	switch direction {
	case "forward":
		at := 0
		for image := range p.images {
			for row := range p.OutHeight() {
				for column := range p.OutWidth() {
					for o := range p.Out {
						s := convSum{block: p.bias[o], exact: float64(p.bias[o]), size: math.Abs(float64(p.bias[o]))}
						for kh := range p.K {
							for kw := range p.K {
								for i := range p.In {
									x := p.pixel(image, row*p.Stride+kh-p.Pad, column*p.Stride+kw-p.Pad, i)
									s.add(x, p.w[((kh*p.K+kw)*p.In+i)*p.Out+o])
								}
							}
						}
						s.sum, s.chain = s.block, s.terms
						f(at, s)
						at++
					}
				}
			}
		}
	case "input":
		at := 0
		for image := range p.images {
			for h := range p.Height {
				for w := range p.Width {
					for i := range p.In {
						var s convSum
						for kh := p.K - 1; kh >= 0; kh-- {
							for kw := p.K - 1; kw >= 0; kw-- {
								row, column := h+p.Pad-kh, w+p.Pad-kw
								if row%p.Stride != 0 || column%p.Stride != 0 {
									continue
								}
								for o := range p.Out {
									s.add(p.gradient(image, row/p.Stride, column/p.Stride, o), p.w[((kh*p.K+kw)*p.In+i)*p.Out+o])
								}
							}
						}
						s.sum, s.chain = s.block, s.terms
						f(at, s)
						at++
					}
				}
			}
		}
	case "weight":
		blockImages, blockRows := p.block()
		at := 0
		for kh := range p.K {
			for kw := range p.K {
				for i := range p.In {
					for o := range p.Out {
						var s convSum
						for image := range p.images {
							for row := range p.OutHeight() {
								for column := range p.OutWidth() {
									x := p.pixel(image, row*p.Stride+kh-p.Pad, column*p.Stride+kw-p.Pad, i)
									s.add(x, p.gradient(image, row, column, o))
								}
								last := row == p.OutHeight()-1
								if last && ((image+1)%blockImages == 0 || image == p.images-1) || !last && (row+1)%blockRows == 0 {
									s.end()
								}
							}
						}
						f(at, s)
						at++
					}
				}
			}
		}
	case "bias":
		for o := range p.Out {
			var s convSum
			for at := o; at < len(p.dy); at += p.Out {
				s.exact += float64(p.dy[at])
				s.size += math.Abs(float64(p.dy[at]))
				s.chain++
			}
			f(o, s)
		}
	}
}

var convDirections = []string{"forward", "input", "weight", "bias"}

// run computes one of the directions, in so many parts, into memory that was not zero.
func (p *convProblem) run(direction string, parts int) []float32 {
	switch direction {
	case "forward", "input":
		size, from := p.OutHeight()*p.OutWidth()*p.Out, p.Height*p.Width*p.In
		if direction == "input" {
			size, from = from, size
		}
		result := nans(p.images * size)
		for part := range parts {
			first, last := p.images*part/parts, p.images*(part+1)/parts
			if direction == "forward" {
				p.Forward(result[first*size:last*size], p.x[first*from:last*from], p.w, p.bias, last-first)
			} else {
				p.InputGrad(result[first*size:last*size], p.dy[first*from:last*from], p.w, last-first)
			}
		}
		return result
	case "weight":
		result := nans(len(p.w))
		for part := range parts {
			p.WeightGrad(result, p.dy, p.x, p.images, part, parts)
		}
		return result
	default:
		result := nans(p.Out)
		p.BiasGrad(result, p.dy, p.images)
		return result
	}
}

// check compares all directions with their definition: the bits of y, dx and dw, the distance from the exact result of all.
func (p *convProblem) check(t testing.TB, parts int) {
	t.Helper()
	for _, direction := range convDirections {
		found := p.run(direction, parts)
		p.eachResult(direction, func(at int, s convSum) {
			if v := found[at]; direction != "bias" && math.Float32bits(v) != math.Float32bits(s.sum) && (v == v || s.sum == s.sum) {
				t.Fatalf("%v: %s, value %d: expected %v, the sum in the order of the definition, found %v", p, direction, at, s.sum, v)
			}
			tolerance := float64(s.chain+1) * 0x1p-24 * s.size
			if v := float64(found[at]); math.Abs(v-s.exact) > tolerance {
				t.Fatalf("%v: %s, value %d: expected %v ± %v, found %v", p, direction, at, s.exact, tolerance, v)
			}
		})
	}
}

// drawConv draws a small convolution. Its work is limited: the definition is slow.
func drawConv(random *rand.Rand) (c Conv, images int) {
	for {
		c = Conv{Height: 1 + random.IntN(12), Width: 1 + random.IntN(12), In: 1 + random.IntN(20), Out: 1 + random.IntN(40),
			K: 1 + random.IntN(7), Stride: 1 + random.IntN(3)}
		c.Pad = random.IntN(c.K)
		images = 1 + random.IntN(9)
		if c.Height+2*c.Pad >= c.K && c.Width+2*c.Pad >= c.K &&
			images*max(c.places(), c.Height*c.Width)*c.In*c.Out*c.K*c.K < 1<<16 {
			return c, images
		}
	}
}

func TestConv(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(31, 32))
		for range 120 {
			c, images := drawConv(random)
			newConvProblem(c, images, drawNormals(random)).check(t, 1+random.IntN(4))
		}
		for _, s := range []struct {
			c      Conv
			images int
		}{
			{Conv{28, 28, 1, 17, 3, 1, 1}, 2},  // a block of dw is a part of an image
			{Conv{28, 28, 1, 10, 5, 2, 2}, 3},  //
			{Conv{7, 7, 11, 33, 3, 1, 1}, 9},   // a block is some images
			{Conv{1, 1, 30, 20, 1, 1, 0}, 401}, // a product
			{Conv{2, 2, 300, 9, 2, 1, 1}, 1},   // a row of the window is more than a block of terms
			{Conv{1, 2, 250, 130, 3, 1, 1}, 1}, // several blocks of columns of the weights
			{Conv{9, 300, 14, 3, 3, 1, 1}, 1},  // bands of a map's rows
			{Conv{5, 500, 2, 3, 3, 2, 1}, 2},   // a row is more than a block of dw
		} {
			newConvProblem(s.c, s.images, drawNormals(random)).check(t, 1+random.IntN(4))
		}
	})
}

// Values that are not finite, and zeros of both signs, give the same as in the definition.
func TestConvOfSpecialValues(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(33, 34))
		for range 50 {
			c, images := drawConv(random)
			p := newConvProblem(c, images, func(x []float32) { drawValues(random, x) })
			for _, direction := range convDirections[:3] {
				found := p.run(direction, 1)
				p.eachResult(direction, func(at int, s convSum) {
					if v := found[at]; math.Float32bits(v) != math.Float32bits(s.sum) && (v == v || s.sum == s.sum) {
						t.Fatalf("%v: %s, value %d: expected %v, found %v", p, direction, at, s.sum, v)
					}
				})
			}
		}
	})
}

// A result has the same bits for any split of the images or of dw, and beside other calls.
func TestConvOfParts(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(35, 36))
		for _, c := range []Conv{{14, 14, 32, 64, 3, 1, 1}, {7, 9, 20, 30, 3, 2, 1}, {28, 28, 1, 32, 3, 1, 1}, {5, 5, 1, 5, 1, 1, 0}} {
			p := newConvProblem(c, 12, drawNormals(random))
			for _, direction := range convDirections[:3] {
				want := p.run(direction, 1)
				done := make(chan string)
				for parts := 2; parts <= 6; parts++ {
					go func() {
						if found := p.run(direction, parts); !sameBits(found, want) {
							done <- fmt.Sprintf("%v: %s differs in %d parts", p, direction, parts)
						} else {
							done <- ""
						}
					}()
				}
				for range 5 {
					if problem := <-done; problem != "" {
						t.Error(problem)
					}
				}
			}
		}
	})
}

// The parts of dw are about as large, also where the window is small.
func TestConvSharesAreBalanced(t *testing.T) {
	for _, c := range []Conv{{28, 28, 1, 32, 3, 1, 1}, {14, 14, 32, 64, 3, 1, 1}, {7, 7, 64, 128, 1, 2, 0}, {9, 9, 3, 64, 1, 1, 0}} {
		for parts := 2; parts <= 4; parts++ {
			var sizes []int
			for part := range parts {
				top, bottom, left, right := c.share(part, parts)
				sizes = append(sizes, (bottom-top)*(right-left))
			}
			if whole := c.K * c.K * c.In * c.Out; slices.Max(sizes)*parts > whole*3/2 {
				t.Errorf("%+v: found %v of %d weights", c, sizes, whole)
			}
		}
	}
}

func FuzzConv(f *testing.F) {
	f.Add(uint8(0), uint8(7), uint8(9), uint8(25), uint8(3), uint8(3), uint8(1), uint64(1))
	f.Add(uint8(1), uint8(13), uint8(2), uint8(10), uint8(33), uint8(4), uint8(5), uint64(2))
	f.Add(uint8(2), uint8(28), uint8(28), uint8(1), uint8(8), uint8(5), uint8(2), uint64(3))
	f.Add(uint8(9), uint8(1), uint8(1), uint8(1), uint8(1), uint8(1), uint8(0), uint64(4))
	f.Fuzz(func(t *testing.T, form, height, width, in, out, k, pad uint8, seed uint64) {
		c := Conv{Height: 1 + int(height)%30, Width: 1 + int(width)%30, In: 1 + int(in)%70, Out: 1 + int(out)%70, K: 1 + int(k)%7,
			Stride: 1 + int(form)%3}
		c.Pad = int(pad) % c.K
		images, parts := 1+int(form/3)%5, 1+int(form/15)%5
		if c.Height+2*c.Pad < c.K || c.Width+2*c.Pad < c.K || images*c.Height*c.Width*c.In*c.Out*c.K*c.K > 1<<19 {
			return
		}
		for _, set := range Available() {
			use(t, set)
			newConvProblem(c, images, drawNormals(rand.New(rand.NewPCG(seed, 37)))).check(t, parts)
		}
	})
}

func TestConvDoesNotAllocate(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		p := newConvProblem(Conv{14, 14, 8, 16, 3, 1, 1}, 4, drawNormals(rand.New(rand.NewPCG(38, 39))))
		dx, dw, db, y := nans(len(p.x)), nans(len(p.w)), nans(p.Out), nans(len(p.dy))
		if n := testing.AllocsPerRun(50, func() {
			p.Forward(y, p.x, p.w, p.bias, p.images)
			p.InputGrad(dx, p.dy, p.w, p.images)
			p.WeightGrad(dw, p.dy, p.x, p.images, 0, 1)
			p.BiasGrad(db, p.dy, p.images)
		}); n >= 1 {
			t.Errorf("expected no allocation, found %v a call", n)
		}
	})
}

func TestConvPanicsOnSizes(t *testing.T) {
	c := Conv{4, 4, 2, 3, 3, 1, 1}
	wantPanic(t, "kernel.Conv.Forward: expected len(x) = 32, found 31", func() { c.Forward(nans(48), nans(31), nans(54), nans(3), 1) })
	wantPanic(t, "kernel.Conv.Forward: expected len(bias) = 3, found 2", func() { c.Forward(nans(48), nans(32), nans(54), nans(2), 1) })
	wantPanic(t, "kernel.Conv.InputGrad: expected len(dy) = 48, found 47", func() { c.InputGrad(nans(32), nans(47), nans(54), 1) })
	wantPanic(t, "kernel.Conv.WeightGrad: expected len(dw) = 54, found 53", func() { c.WeightGrad(nans(53), nans(48), nans(32), 1, 0, 1) })
	wantPanic(t, "kernel.Conv.WeightGrad: expected a part of 2 parts, found 2", func() { c.WeightGrad(nans(54), nans(48), nans(32), 1, 2, 2) })
	wantPanic(t, "kernel.Conv.BiasGrad: expected len(db) = 3, found 4", func() { c.BiasGrad(nans(4), nans(48), 1) })
	c.Pad, c.K = 0, 5
	wantPanic(t, "kernel.Conv.Forward: expected positive sizes and a window that fits the padded map, found "+
		"{Height:4 Width:4 In:2 Out:3 K:5 Stride:1 Pad:0}", func() { c.Forward(nil, nil, nil, nil, 1) })
}

// BenchmarkConv has the convolutions of a small residual network, with the speed in 10⁹ operations a second.
func BenchmarkConv(b *testing.B) {
	for _, c := range []Conv{
		{28, 28, 1, 32, 3, 1, 1}, {28, 28, 32, 32, 3, 1, 1}, {14, 14, 32, 64, 3, 1, 1}, {14, 14, 64, 64, 3, 1, 1},
		{7, 7, 64, 128, 3, 1, 1}, {7, 7, 128, 128, 3, 1, 1}, {14, 14, 64, 128, 3, 2, 1}, {14, 14, 64, 128, 1, 2, 0},
	} {
		for _, images := range []int{64, 128} {
			p := newConvProblem(c, images, drawNormals(rand.New(rand.NewPCG(1, 2))))
			y, dx, dw, db := nans(len(p.dy)), nans(len(p.x)), nans(len(p.w)), nans(p.Out)
			measure := func(direction string, f func()) {
				b.Run(fmt.Sprintf("%dx%dx%d-%d,k%d,s%d/%d/%s/%s", c.Height, c.Width, c.In, c.Out, c.K, c.Stride, images, direction, Active()),
					func(b *testing.B) {
						for b.Loop() {
							f()
						}
						b.ReportMetric(2*float64(len(p.dy))*float64(c.K*c.K*c.In)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
					})
			}
			measure("forward", func() { p.Forward(y, p.x, p.w, p.bias, images) })
			measure("input", func() { p.InputGrad(dx, p.dy, p.w, images) })
			measure("weight", func() { p.WeightGrad(dw, p.dy, p.x, images, 0, 1) })
			measure("bias", func() { p.BiasGrad(db, p.dy, images) })
		}
	}
}

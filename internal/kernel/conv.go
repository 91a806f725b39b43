package kernel

import "fmt"

//go:generate go run -C asm . -out ../conv_amd64.s -stubs ../conv_amd64_stubs.go -pkg kernel conv

// Convolutions of maps, [images, height, width, channels], with weights [K, K, in, out], and their gradients:
//
//	y[p,o]     = bias[o] + Σ x[p·stride + k − pad, i]·w[k,i,o]      over k and i
//	dx[q,i]    =           Σ dy[p,o]·w[q + pad − p·stride, i, o]    over the p whose window holds q, and o
//	dw[k,i,o]  =           Σ x[p·stride + k − pad, i]·dy[p,o]       over all p of all images
//	db[o]      =           Σ dy[p,o]                                over all p of all images
//
// where p, q and k are places: a row and a column. What lies beside a map counts as 0: its terms are added like the others, so a weight
// that is infinite or NaN gives NaN there. The order of each sum is fixed, and it depends neither on the instruction set, nor on the
// split of a batch or of dw:
//
//	y     starts from the bias and takes the rows of the window from the top, in a row the columns from the left, in a place the channels
//	dx    starts from 0 and takes the rows of dy from the top, in a row the places from the left, in a place the channels. Places
//	      beside dy count as 0, too, if a window there would hold q
//	dw    takes the places in the order of memory, in blocks of about 400 (convBlock): a block's sum starts from 0, and the sums of
//	      the blocks are added in order. A single sum over so many terms would lose too many bits
//	db    as dw
//
// As in the products, AVX2, AVX-512 and NEON round each multiply-add of y, dx and dw once, and plain Go twice.
//
// All of them are a product of patches of the maps and a second matrix. The patches are not copied, since in a padded map a row of a
// patch is one run of memory: see [gathered]. The copies and the packed weights are as large as fits the caches.

// Conv is a convolution of maps of Height·Width places and In channels with a window of K·K places, which moves by Stride places over
// the maps with Pad places of zeros around them. The fields but Pad are above 0, and the window fits the padded map.
type Conv struct{ Height, Width, In, Out, K, Stride, Pad int }

// OutHeight is the rows of the result.
func (c Conv) OutHeight() int { return (c.Height+2*c.Pad-c.K)/c.Stride + 1 }

// OutWidth is the columns of the result.
func (c Conv) OutWidth() int { return (c.Width+2*c.Pad-c.K)/c.Stride + 1 }

func (c Conv) places() int { return c.OutHeight() * c.OutWidth() }

// check panics unless the sizes make sense, and the slices have the lengths of the maps x and y and of the weights.
func (c Conv) check(function, xName, yName string, x, y []float32, wName string, w []float32, images int) {
	if c.Height < 1 || c.Width < 1 || c.In < 1 || c.Out < 1 || c.K < 1 || c.Stride < 1 || c.Pad < 0 ||
		c.Height+2*c.Pad < c.K || c.Width+2*c.Pad < c.K {
		panic(fmt.Sprintf("kernel.%s: expected positive sizes and a window that fits the padded map, found %+v", function, c))
	}
	check(function, xName, len(x), images*c.Height*c.Width*c.In)
	check(function, yName, len(y), images*c.places()*c.Out)
	check(function, wName, len(w), c.K*c.K*c.In*c.Out)
}

// Forward sets y to the convolution of the images x with the weights w, plus the bias.
func (c Conv) Forward(y, x, w, bias []float32, images int) {
	c.check("Conv.Forward", "x", "y", x, y, "w", w, images)
	check("Conv.Forward", "bias", len(bias), c.Out)
	if c.K == 1 && c.Stride == 1 && c.Pad == 0 {
		MatMulBias(y, x, w, bias, images*c.places(), c.In, c.Out)
		return
	}
	s := convScratches.get()
	defer s.release()
	s.window = correlation{
		height: c.Height, width: c.Width, channels: c.In,
		rows: c.K, columns: c.K, stride: c.Stride, top: -c.Pad, left: -c.Pad,
		down: c.OutHeight(), across: c.OutWidth(), toDown: c.OutWidth() * c.Out, toAcross: c.Out, toImage: c.places() * c.Out,
		weights: windowWeights{values: w, k: c.K, in: c.In, out: c.Out, step: 1},
	}
	s.run(y, x, bias, images)
}

// InputGrad sets dx to the gradient of the images.
//
// The rows h of a map with the same (h + Pad) modulo Stride meet the same rows of the window, each in one row of dy; the columns alike.
// For these places, dx is the convolution of dy, at a stride of 1, with those rows and columns of the window, in reverse.
func (c Conv) InputGrad(dx, dy, w []float32, images int) {
	c.check("Conv.InputGrad", "dx", "dy", dx, dy, "w", w, images)
	s := convScratches.get()
	defer s.release()
	if c.K < c.Stride {
		clear(dx) // there are places that no window holds
	}
	for phaseDown := range min(c.K, c.Stride) {
		for phaseAcross := range min(c.K, c.Stride) {
			rows, lastRow, top, firstDown, down := c.phase(phaseDown, c.Height)
			columns, lastColumn, left, firstAcross, across := c.phase(phaseAcross, c.Width)
			if down <= 0 || across <= 0 {
				continue
			}
			s.window = correlation{
				height: c.OutHeight(), width: c.OutWidth(), channels: c.Out,
				rows: rows, columns: columns, stride: 1, top: top, left: left,
				down: down, across: across,
				toFirst: (firstDown*c.Width + firstAcross) * c.In,
				toDown:  c.Stride * c.Width * c.In, toAcross: c.Stride * c.In, toImage: c.Height * c.Width * c.In,
				weights: windowWeights{w, c.K, c.In, c.Out, lastRow, lastColumn, -c.Stride, true},
			}
			s.run(dx, dy, nil, images)
		}
	}
}

// phase is the part of InputGrad's places in one direction: how many rows of the window meet them, and the last of these; the row of dy
// in which the last one meets the first place; the first place, and the number of places.
func (c Conv) phase(phase, size int) (rows, last, top, first, count int) {
	rows = (c.K - phase + c.Stride - 1) / c.Stride
	last = phase + (rows-1)*c.Stride
	first = ((phase-c.Pad)%c.Stride + c.Stride) % c.Stride
	top = (first+c.Pad)/c.Stride - (rows - 1)
	return rows, last, top, first, (size - first + c.Stride - 1) / c.Stride
}

// convBlock is the most places of a block of dw's sums, unless a row of places is longer. A strip of dy of so many places lies in the
// first cache.
const convBlock = 400

// block is the images and the rows of each of them in a block of dw's sums: some whole images, or some rows of one.
func (c Conv) block() (images, rows int) {
	if n := convBlock / c.places(); n > 0 {
		return n, c.OutHeight()
	}
	return 1, blockLength(c.OutHeight(), max(convBlock/c.OutWidth(), 1))
}

// share is the rows [top,bottom) and columns [left,right) of dw in the part. dw, [K·K·In, Out], is split by rows unless it has few.
func (c Conv) share(part, parts int) (top, bottom, left, right int) {
	const unit = 8 // columns
	rows, units := c.K*c.K*c.In, (c.Out+unit-1)/unit
	if rows < unit*parts && units >= parts {
		return 0, rows, min(units*part/parts*unit, c.Out), min(units*(part+1)/parts*unit, c.Out)
	}
	return rows * part / parts, rows * (part + 1) / parts, 0, c.Out
}

// WeightGrad sets a part of dw, the gradient of the weights, from all images. The parts are disjoint; all together are dw.
func (c Conv) WeightGrad(dw, dy, x []float32, images, part, parts int) {
	c.check("Conv.WeightGrad", "x", "dy", x, dy, "dw", dw, images)
	if part < 0 || part >= parts {
		panic(fmt.Sprintf("kernel.Conv.WeightGrad: expected a part of %d parts, found %d", parts, part))
	}
	top, bottom, left, right := c.share(part, parts)
	if top == bottom || left == right {
		return
	}
	for i := top; i < bottom; i++ {
		clear(dw[i*c.Out:][left:right])
	}
	s := convScratches.get()
	defer s.release()
	kernels := convKernelsInUse()
	s.window = correlation{
		height: c.Height, width: c.Width, channels: c.In,
		rows: c.K, columns: c.K, stride: c.Stride, top: -c.Pad, left: -c.Pad, down: c.OutHeight(), across: c.OutWidth(),
	}
	blockImages, blockRows := c.block()
	for image := 0; image < images; image += blockImages {
		for row := 0; row < c.OutHeight(); row += blockRows {
			b := band{image, min(blockImages, images-image), row, min(blockRows, c.OutHeight()-row)}
			s.weightRows(x, b, dw, c.Out, top, bottom)
			first := (b.image*c.places() + b.row*c.OutWidth()) * c.Out
			kernels.gather(s.products, rowMajor(dy[first:], b.images*b.rows*c.OutWidth(), c.Out), left, right)
		}
	}
}

// BiasGrad sets db to the gradient of the bias.
func (c Conv) BiasGrad(db, dy []float32, images int) {
	check("Conv.BiasGrad", "db", len(db), c.Out)
	check("Conv.BiasGrad", "dy", len(dy), images*c.places()*c.Out)
	s := convScratches.get()
	defer s.release()
	s.sums = grown(s.sums, c.Out)
	sums := s.sums[:c.Out]
	blockImages, blockRows := c.block()
	clear(db)
	for image := 0; image < images; image += blockImages {
		for row := 0; row < c.OutHeight(); row += blockRows {
			places := min(blockImages, images-image) * min(blockRows, c.OutHeight()-row) * c.OutWidth()
			active.sumRows(sums, dy[(image*c.places()+row*c.OutWidth())*c.Out:][:places*c.Out])
			for j, v := range sums {
				db[j] += v
			}
		}
	}
}

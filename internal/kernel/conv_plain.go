package kernel

// The plain way is for instruction sets without kernels for gathered products: plain Go and NEON. It copies some rows of a side by side
// and multiplies them by b with the instruction set's product. A block of columns of b is long enough to pay for the copy.

const (
	patchRows   = 64      // at most, of a copy
	patchValues = 1 << 17 // of a copy, if a row is not longer
)

// patches is a copy of some rows of a, and the sums.
type patches struct{ a, c []float32 }

var patchPool = newScratch[patches]()

var plainConv = convKernels{packWeights: packWeightsPlain, windows: windowsPlain, gather: gatherPlain}

// packWeightsPlain copies a block of columns of the weights, one row for each term.
func packWeightsPlain(panel []float32, w *correlation, left, columns int) {
	for row := range w.rows {
		for column := range w.columns {
			b := w.weights.at(row, column).Columns(left, left+columns)
			for i := range b.rows {
				to, from := panel[:columns], b.values[i*b.row:]
				if b.column == 1 {
					copy(to, from)
				} else {
					for j := range to {
						to[j] = from[j*b.column]
					}
				}
				panel = panel[columns:]
			}
		}
	}
}

// windowsPlain is a gathered product with packed weights.
func windowsPlain(g *gathered, weights []float32, columns int) {
	g.plain(rowMajor(weights, g.terms(), columns), 0, columns)
}

// gatherPlain is some gathered products with the columns [left,right) of b and c.
func gatherPlain(products []gathered, b Matrix, left, right int) {
	for i := range products {
		products[i].plain(b, left, right)
	}
}

// plain is a gathered product with the columns [left,right) of b and c.
func (g *gathered) plain(b Matrix, left, right int) {
	p := patchPool.get()
	defer patchPool.put(p)
	terms, n := g.terms(), right-left
	height := min(max(patchValues/terms, 1), patchRows)
	p.a, p.c = grown(p.a, max(height*terms, patchValues)), grown(p.c, height*n)
	start := Matrix{}
	if g.start != nil {
		start = Matrix{g.start[left:], height, n, 0, 1}
	}
	for top := 0; top < len(g.places); top += height {
		places := g.places[top:min(top+height, len(g.places))]
		to := p.a
		for _, place := range places {
			for _, segment := range g.segments {
				from := g.a[place.a+segment:]
				if g.step == 1 {
					copy(to[:g.steps], from)
				} else {
					for l := range g.steps {
						to[l] = from[l*g.step]
					}
				}
				to = to[g.steps:]
			}
		}
		start.rows = len(places)
		product(rowMajor(p.c, len(places), n), rowMajor(p.a, len(places), terms), b.part(0, left, terms, n), start)
		for i, place := range places {
			to, sums := g.c[place.c+left:][:n], p.c[i*n:][:n]
			if !g.add {
				copy(to, sums)
				continue
			}
			for j, v := range sums {
				to[j] += v
			}
		}
	}
}

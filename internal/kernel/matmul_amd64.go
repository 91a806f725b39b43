//go:build !purego

package kernel

const (
	lanes      = 8   // float32 values in a vector register
	stripWidth = 24  // columns of the widest strip
	avx2Depth  = 256 // the longest block of k: a strip of b is 24 KB, and stays in the first cache
	packedRows = 128 // the rows of c from which packing b takes less time than it saves
)

// A stripPanel is a strip of b, row after row, or the transpose of one.
type stripPanel [avx2Depth * stripWidth]float32

var stripPanels = newScratch[stripPanel]()

// zeros is a row that sums start from.
var zeros [stripWidth]float32

// masks holds the mask of the first t lanes at [lanes-t].
var masks = [2 * lanes]uint32{1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1}

// productAVX2 is product with AVX2 and FMA, for m, k and n above 0.
//
// c is computed in strips of 1 to 3 vectors of columns, each from the top to the bottom in tiles of 4 rows. The strips read a
// where it is, whichever way it lies, and b too if it has rows and these are few; otherwise from the panel.
func productAVX2(c []float32, a, b matrix, bias []float32, m, k, n int) {
	panel := stripPanels.get()
	defer stripPanels.put(panel)
	depth := blockLength(k, avx2Depth)
	for l := 0; l < k; l += depth {
		steps := min(depth, k-l)
		for left := 0; left < n; {
			vectors := stripVectors(n - left)
			columns := min(vectors*lanes, n-left)
			s := strip{
				c: &c[left], cRow: n,
				a: &a.values[l*a.column], aRow: a.row, aStep: a.column,
				start: &zeros[0],
				m:     m, k: steps,
			}
			switch {
			case l > 0:
				s.start, s.startRow = s.c, s.cRow
			case bias != nil:
				s.start = &bias[left]
			}
			part := b.from(l, left)
			switch {
			case b.column != 1:
				panel.transpose(part, columns, steps, vectors*lanes)
				s.b, s.bStep = &panel[0], vectors*lanes
			case m >= packedRows:
				panel.pack(part, columns, steps, vectors*lanes)
				s.b, s.bStep = &panel[0], vectors*lanes
			default:
				s.b, s.bStep = &part.values[0], part.row
			}
			s.run(vectors, columns)
			left += columns
		}
	}
}

// stripVectors is the width of the next strip when so many columns are left. A last strip of one vector would have too few
// sums to keep the processor busy, so that 4 vectors are shared out as 2 and 2.
func stripVectors(columns int) int {
	vectors := (columns + lanes - 1) / lanes
	if vectors == 4 {
		return 2
	}
	return min(vectors, stripWidth/lanes)
}

// pack copies the columns of b to rows of so many values.
func (p *stripPanel) pack(b matrix, columns, steps, width int) {
	for l := range steps {
		to, from := p[l*width:], b.values[l*b.row:]
		switch columns { // an array is copied without a call
		case 3 * lanes:
			*(*[3 * lanes]float32)(to) = *(*[3 * lanes]float32)(from)
		case 2 * lanes:
			*(*[2 * lanes]float32)(to) = *(*[2 * lanes]float32)(from)
		default:
			copy(to[:columns], from)
		}
	}
}

// transpose copies the columns of b, each of which lies in one piece, to rows of so many values.
func (p *stripPanel) transpose(b matrix, columns, steps, width int) {
	whole, left := steps&^(lanes-1), 0
	for ; left+lanes <= columns && whole > 0; left += lanes {
		transpose8AVX2(&p[left], &b.values[left*b.column], width, b.column, whole/lanes)
		p.transposeColumns(b, left, left+lanes, whole, steps, width)
	}
	p.transposeColumns(b, left, columns, 0, steps, width)
}

// transposeColumns copies the rows [top,bottom) of the columns [left,right).
func (p *stripPanel) transposeColumns(b matrix, left, right, top, bottom, width int) {
	for j := left; j < right; j++ {
		column := b.values[j*b.column:][:bottom]
		for l := top; l < bottom; l++ {
			p[l*width+j] = column[l]
		}
	}
}

// A strip is the columns of c whose sums lie in some vectors beside each other. The strides are in values.
type strip struct {
	c, a, b, start                           *float32
	m, k, aRow, aStep, bStep, cRow, startRow int
}

// run computes the strip, with the last vector under a mask if the columns do not fill it.
func (s *strip) run(vectors, columns int) {
	if columns == vectors*lanes {
		switch vectors {
		case 1:
			strip1AVX2(s.c, s.a, s.b, s.start, s.m, s.k, s.aRow, s.aStep, s.bStep, s.cRow, s.startRow)
		case 2:
			strip2AVX2(s.c, s.a, s.b, s.start, s.m, s.k, s.aRow, s.aStep, s.bStep, s.cRow, s.startRow)
		case 3:
			strip3AVX2(s.c, s.a, s.b, s.start, s.m, s.k, s.aRow, s.aStep, s.bStep, s.cRow, s.startRow)
		}
		return
	}
	mask := &masks[vectors*lanes-columns]
	switch vectors {
	case 1:
		strip1MaskedAVX2(s.c, s.a, s.b, s.start, s.m, s.k, s.aRow, s.aStep, s.bStep, s.cRow, s.startRow, mask)
	case 2:
		strip2MaskedAVX2(s.c, s.a, s.b, s.start, s.m, s.k, s.aRow, s.aStep, s.bStep, s.cRow, s.startRow, mask)
	case 3:
		strip3MaskedAVX2(s.c, s.a, s.b, s.start, s.m, s.k, s.aRow, s.aStep, s.bStep, s.cRow, s.startRow, mask)
	}
}

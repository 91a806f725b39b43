//go:build !purego

package kernel

const (
	lanes      = 4   // float32 values in a vector register
	stripWidth = 12  // columns of the widest strip
	neonDepth  = 256 // the longest block of k: a strip of b and 8 rows of a are 20 KB, and stay in a first cache of 32
	packedRows = 128 // the rows of c from which a strip of b is packed, as with AVX2: it was not measured
)

// A stripPanel is a strip of b, row after row, or the transpose of one.
type stripPanel [neonDepth * stripWidth]float32

var stripPanels = newScratch[stripPanel]()

// zeros is a row that sums start from.
var zeros [stripWidth]float32

// productNEON is product with NEON, for at least one row, column and term.
//
// c is computed in strips of 1 to 3 vectors of columns, each from the top to the bottom in tiles of 8 rows, and at last of 4, 2
// and 1. The strips read a where it is, whichever way it lies, and b too if it has rows, these are few and all the strip's
// vectors are whole; otherwise from the panel, whose vectors are whole always.
func productNEON(c, a, b, start Matrix) {
	panel := stripPanels.get()
	defer stripPanels.put(panel)
	depth := blockLength(a.columns, neonDepth)
	for l := 0; l < a.columns; l += depth {
		steps := min(depth, a.columns-l)
		if l > 0 {
			start = c
		}
		for left := 0; left < c.columns; {
			vectors := stripVectors(c.columns - left)
			columns := min(vectors*lanes, c.columns-left)
			s := strip{
				c: &c.values[left], cRow: c.row,
				a: &a.values[l*a.column], aRow: a.row, aStep: a.column,
				start: &zeros[0],
				m:     c.rows, k: steps,
			}
			if start.values != nil {
				s.start, s.startRow = &start.values[left], start.row
			}
			part := b.part(l, left, steps, columns)
			switch {
			case b.column != 1:
				panel.transpose(part, columns, steps, vectors*lanes)
				s.b, s.bStep = &panel[0], vectors*lanes
			case c.rows >= packedRows || columns < vectors*lanes:
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

// pack copies the columns of b to rows of so many values. What a row lacks to whole vectors is left as it was: it ends in sums
// that are not stored.
func (p *stripPanel) pack(b Matrix, columns, steps, width int) {
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
func (p *stripPanel) transpose(b Matrix, columns, steps, width int) {
	whole, left := steps&^(lanes-1), 0
	for ; left+lanes <= columns && whole > 0; left += lanes {
		transpose4NEON(&p[left], &b.values[left*b.column], width, b.column, whole/lanes)
		p.transposeColumns(b, left, left+lanes, whole, steps, width)
	}
	p.transposeColumns(b, left, columns, 0, steps, width)
}

// transposeColumns copies the rows [top,bottom) of the columns [left,right).
func (p *stripPanel) transposeColumns(b Matrix, left, right, top, bottom, width int) {
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

// run computes the strip, with part of the last vector if the columns do not fill it.
func (s *strip) run(vectors, columns int) {
	last := columns % lanes
	switch {
	case vectors == 1 && last == 0:
		strip1NEON(s.c, s.a, s.b, s.start, s.m, s.k, s.aRow, s.aStep, s.bStep, s.cRow, s.startRow)
	case vectors == 2 && last == 0:
		strip2NEON(s.c, s.a, s.b, s.start, s.m, s.k, s.aRow, s.aStep, s.bStep, s.cRow, s.startRow)
	case vectors == 3 && last == 0:
		strip3NEON(s.c, s.a, s.b, s.start, s.m, s.k, s.aRow, s.aStep, s.bStep, s.cRow, s.startRow)
	case vectors == 1:
		strip1PartNEON(s.c, s.a, s.b, s.start, s.m, s.k, s.aRow, s.aStep, s.bStep, s.cRow, s.startRow, last)
	case vectors == 2:
		strip2PartNEON(s.c, s.a, s.b, s.start, s.m, s.k, s.aRow, s.aStep, s.bStep, s.cRow, s.startRow, last)
	default:
		strip3PartNEON(s.c, s.a, s.b, s.start, s.m, s.k, s.aRow, s.aStep, s.bStep, s.cRow, s.startRow, last)
	}
}
